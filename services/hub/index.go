package hub

// index finds connections by a name.
type index map[string]crowd

// crowd is the connections under one name, each with the offset up to which it may not read. Most names are of one
// alone, who has its place here: very many of them have to be small.
type crowd struct {
	one  member // nobody where conn is nil
	more *row   // everybody, in place of one
}

type member struct {
	conn  *Conn
	after int64
}

func (x index) add(name string, c *Conn, after int64) {
	crowd := x[name]
	switch {
	case crowd.more != nil:
		crowd.more.add(c, after)
		return
	case crowd.one.conn == nil || crowd.one.conn == c:
		crowd.one = member{c, after}
	default:
		crowd.more = &row{places: map[*Conn]int32{}}
		crowd.more.add(crowd.one.conn, crowd.one.after)
		crowd.more.add(c, after)
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
		crowd.more.remove(c)
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
		return len(c.more.members)
	case c.one.conn != nil:
		return 1
	default:
		return 0
	}
}

// each calls f for every connection. f must not add to this name or take from it: the members move up.
func (c *crowd) each(f func(conn *Conn, after int64)) {
	if c.one.conn != nil {
		f(c.one.conn, c.one.after)
	}
	if c.more != nil {
		for _, m := range c.more.members {
			f(m.conn, m.after)
		}
	}
}

// row is members side by side, mostly as they came and so as they lie in memory: that the next are fetched while one is
// served is a fifth of a delivery to a crowd. A map alone has them in an order of its own.
type row struct {
	members []member
	places  map[*Conn]int32
}

func (r *row) add(c *Conn, after int64) {
	if at, known := r.places[c]; known {
		r.members[at].after = after
		return
	}
	r.places[c] = int32(len(r.members)) //nolint:gosec // there are fewer descriptors
	r.members = append(r.members, member{c, after})
}

// remove puts the last in the place of one.
func (r *row) remove(c *Conn) {
	at, known := r.places[c]
	if !known {
		return
	}
	end := len(r.members) - 1
	r.members[at] = r.members[end]
	r.places[r.members[at].conn] = at
	r.members[end] = member{}
	r.members = r.members[:end]
	delete(r.places, c)
}
