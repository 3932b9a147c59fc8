package hub

// index finds connections by a name.
type index map[string]crowd

// crowd is the connections under one name, each with the offset up to which it may not read. Most names are of one
// alone, who has its place here: very many of them have to be small.
type crowd struct {
	one  member          // nobody where conn is nil
	more map[*Conn]int64 // everybody, in place of one
}

type member struct {
	conn  *Conn
	after int64
}

func (x index) add(name string, c *Conn, after int64) {
	crowd := x[name]
	switch {
	case crowd.more != nil:
		crowd.more[c] = after
		return
	case crowd.one.conn == nil || crowd.one.conn == c:
		crowd.one = member{c, after}
	default:
		crowd.more = map[*Conn]int64{crowd.one.conn: crowd.one.after, c: after}
		crowd.one = member{}
	}
	x[name] = crowd
}

func (x index) remove(name string, c *Conn) {
	crowd, known := x[name]
	if !known {
		return
	}
	if crowd.more != nil {
		delete(crowd.more, c)
	} else if crowd.one.conn == c {
		crowd.one = member{}
	}
	if crowd.len() == 0 {
		delete(x, name)
	} else {
		x[name] = crowd
	}
}

func (c *crowd) len() int {
	switch {
	case c.more != nil:
		return len(c.more)
	case c.one.conn != nil:
		return 1
	default:
		return 0
	}
}

// each calls f for every connection.
func (c *crowd) each(f func(conn *Conn, after int64)) {
	if c.one.conn != nil {
		f(c.one.conn, c.one.after)
	}
	for conn, after := range c.more {
		f(conn, after)
	}
}
