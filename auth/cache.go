package auth

// cacheLength is how many answers a Cache remembers, as many as a channel of RabbitMQ 3.10.8 does.
const cacheLength = 12

// Cache asks Users on behalf of one user in one vhost and remembers what was permitted last, so that publishing to the
// same exchange again takes neither a lock nor a regular expression. Unlike RabbitMQ's it forgets all when any user or
// permission changes: what is revoked is refused at once. Not safe for concurrent use: one per channel.
type Cache struct {
	users       *Users
	user, vhost string

	generation uint64
	permitted  [cacheLength]answer
	next       int // overwritten next
}

type answer struct {
	kind, name string // kind is "" where there is none yet
	operation  Operation
}

// NewCache returns a cache for a user in a vhost.
func NewCache(u *Users, user, vhost string) *Cache {
	return &Cache{users: u, user: user, vhost: vhost}
}

// Check is Users.Check.
func (c *Cache) Check(kind, name string, o Operation) bool {
	if g := c.users.Generation(); g != c.generation {
		c.permitted, c.next, c.generation = [cacheLength]answer{}, 0, g
	}
	asked := answer{kind, name, o}
	for i := range c.permitted {
		if c.permitted[i] == asked {
			return true
		}
	}
	if !c.users.Check(c.user, c.vhost, kind, name, o) {
		return false
	}
	c.permitted[c.next] = asked
	c.next = (c.next + 1) % cacheLength
	return true
}
