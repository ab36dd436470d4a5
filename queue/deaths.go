package queue

// reasons are those for which a message dies; their places in it are stored with discards.
var reasons = [...]string{Expired, Rejected, MaxLen, DeliveryLimit, Duplicate}

// Reasons returns the reasons in the order in which Deaths counts them.
func Reasons() []string { return reasons[:] }

// Deaths counts messages by the reason of their death, in the order of Reasons.
type Deaths [len(reasons)]uint64

// Add adds n deaths for a reason.
func (d *Deaths) Add(reason string, n uint64) { d[reasonIndex(reason)] += n }

func (d *Deaths) addAll(o *Deaths) {
	for i, n := range o {
		d[i] += n
	}
}

func reasonIndex(reason string) int {
	for i, r := range reasons {
		if r == reason {
			return i
		}
	}
	panic("queue: unknown reason of death " + reason)
}
