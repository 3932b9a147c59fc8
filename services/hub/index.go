package hub

// index finds connections by a name.
type index map[string]crowd

// crowd is the connections under one name, each with the offset up to which it may not read.
type crowd struct {
	few  []member
	many map[*Conn]int64 // in place of few, when there are more than it is quick to search
}

type member struct {
	conn  *Conn
	after int64
}

const crowdFew = 8

func (x index) add(name string, c *Conn, after int64) {
	crowd := x[name]
	crowd.remove(c)
	switch {
	case crowd.many != nil:
		crowd.many[c] = after
		return
	case len(crowd.few) < crowdFew:
		crowd.few = append(crowd.few, member{c, after})
	default:
		crowd.many = make(map[*Conn]int64, 2*crowdFew)
		for _, m := range crowd.few {
			crowd.many[m.conn] = m.after
		}
		crowd.many[c], crowd.few = after, nil
	}
	x[name] = crowd
}

func (x index) remove(name string, c *Conn) {
	crowd, known := x[name]
	if !known {
		return
	}
	if crowd.remove(c); crowd.len() == 0 {
		delete(x, name)
		return
	}
	x[name] = crowd
}

func (c *crowd) remove(conn *Conn) {
	delete(c.many, conn)
	for i := range c.few {
		if c.few[i].conn == conn {
			last := len(c.few) - 1
			c.few[i], c.few[last] = c.few[last], member{}
			c.few = c.few[:last]
			return
		}
	}
}

func (c *crowd) len() int { return len(c.few) + len(c.many) }

// each calls f for every connection.
func (c *crowd) each(f func(conn *Conn, after int64)) {
	for _, m := range c.few {
		f(m.conn, m.after)
	}
	for conn, after := range c.many {
		f(conn, after)
	}
}
