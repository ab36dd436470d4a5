package exchange

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/warren-mq/warren/amqp"
)

const (
	// delayedMessage is the exchange type of RabbitMQ's plugin rabbitmq_delayed_message_exchange. What it is besides
	// holding messages back, the type named by innerArgument says.
	delayedMessage = "x-delayed-message"
	innerArgument  = "x-delayed-type"
	// delayedArgument makes an exchange of any type hold messages back. It is Warren's own.
	delayedArgument = "x-delayed"

	delayHeader     = "x-delay"      // milliseconds
	deliverAtHeader = "x-deliver-at" // unix milliseconds, or a timestamp in seconds; Warren's own

	// maxDelay is the longest delay of the plugin, in milliseconds. A longer one is none.
	maxDelay = math.MaxUint32
)

// holding says what an exchange does with messages that are to be delivered later.
type holding uint8

const (
	holdsNothing holding = iota
	// holdsAside is the plugin's way: what is held back counts as routed nowhere.
	holdsAside
	// holdsBack is the way of x-delayed: what is held back is in good hands, and found routable or not when it is due.
	holdsBack
)

// resolve finds what a declaration asks for: the type that routes, and whether messages are held back. Texts of the 406
// are the plugin's.
func resolve(vhost string, c Config) (k *kind, h holding, err error) {
	if k = kinds[c.Type]; c.Type == delayedMessage {
		if k, err = innerKind(c); err != nil {
			return nil, 0, err
		}
		h = holdsAside
	}
	if v, ok := c.Arguments.Get(delayedArgument); ok {
		switch v := v.(type) {
		case bool:
			if v {
				h = holdsBack
			}
		default:
			return nil, 0, amqp.Errorf(amqp.PreconditionFailed, "invalid type '%s' for arg '%s' in %s",
				amqp.TypeName(v), delayedArgument, amqp.Resource("exchange", c.Name, vhost))
		}
	}
	return k, h, nil
}

func innerKind(c Config) (*kind, error) {
	v, _ := c.Arguments.Get(innerArgument)
	var inner string
	switch v := v.(type) {
	case string:
		inner = v
	case amqp.Binary:
		inner = string(v)
	default:
		return nil, amqp.Errorf(amqp.PreconditionFailed, "Invalid argument, 'x-delayed-type' must be an existing exchange type")
	}
	if inner == delayedMessage {
		return nil, amqp.Errorf(amqp.PreconditionFailed, "Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'")
	}
	return kinds[inner], CheckType(inner)
}

// Delays reports whether the exchange holds messages back until they are due.
func (x *Exchange) Delays() bool { return x.holding != holdsNothing }

// Delay is how long a message is held back: for some milliseconds, or until a time.
type Delay struct {
	Millis int64
	Until  int64 // unix milliseconds; counts if Millis is 0
}

// Due is the time at which a message is due that is taken now, in unix milliseconds.
func (d Delay) Due(now int64) int64 {
	if d.Millis > 0 {
		return now + d.Millis
	}
	return d.Until
}

// delayOf returns the delay that the headers of a message ask for; false if it is to be routed at once. An absolute time
// counts before a delay. What cannot be read as a number is no delay.
func delayOf(p *amqp.Properties, now func() int64) (d Delay, ok bool) {
	if !p.Has(amqp.FlagHeaders) {
		return d, false
	}
	if v, found := p.Headers.Get(deliverAtHeader); found {
		if at, ok := absolute(v); ok {
			return Delay{Until: at}, now != nil && at > now()
		}
	}
	v, found := p.Headers.Get(delayHeader)
	if !found {
		return d, false
	}
	d.Millis, ok = number(v)
	return d, ok && d.Millis > 0 && d.Millis <= maxDelay
}

func absolute(v amqp.RawValue) (millis int64, ok bool) {
	if v.Tag != 'T' {
		return number(v)
	}
	value, err := v.Decode()
	seconds, _ := value.(amqp.Timestamp)
	return int64(min(uint64(seconds), math.MaxInt64/1000) * 1000), err == nil
}

// number reads what the plugin does: any integer, a float without its fraction, a string of digits.
func number(v amqp.RawValue) (n int64, ok bool) {
	if n, ok = v.Int(); ok {
		return n, true
	}
	if f, ok := v.Float(); ok {
		return int64(f), f > -1<<63 && f < 1<<63
	}
	if s, ok := v.String(); ok && len(s) <= 20 {
		n, err := strconv.ParseInt(string(s), 10, 64)
		return n, err == nil
	}
	return 0, false
}

// AppendDelayed appends the properties of a message that is held back as they will be delivered: with the header x-delay
// negated, so that no other exchange delays it again. As in the plugin it becomes a signed integer of 32 bits, if it fits,
// and headers are sorted by name.
func AppendDelayed(dst []byte, p *amqp.Properties) []byte {
	headers, err := p.Headers.Decode()
	v, found := p.Headers.Get(delayHeader)
	n, ok := number(v)
	if err != nil || !found || !ok || n <= 0 {
		return p.Append(dst)
	}
	var negated any = int32(-min(n, math.MaxInt32))
	if n > math.MaxInt32 {
		negated = -n
	}
	headers = headers.With(delayHeader, negated)
	slices.SortStableFunc(headers, func(a, b amqp.Field) int { return cmp.Compare(a.Name, b.Name) })
	out := *p
	out.Headers = amqp.AppendTableBody(nil, headers)
	return out.Append(dst)
}
