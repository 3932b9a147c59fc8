package testpg

// PID is the number of the server's first process, whose children serve the connections; 0 while it
// is stopped.
func (c *Cluster) PID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil {
		return 0
	}
	return c.process.Pid
}
