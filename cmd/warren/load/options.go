package load

import (
	"fmt"
	"math"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Options say what load to put on a broker.
type Options struct {
	URIs []string // connections take them in turn

	Producers, Consumers int
	Queues               int
	QueueName            string     // of one queue; several get a number behind it
	Exchange             string     // "" publishes to the queues by name
	ExchangeType         string     // of Exchange
	Arguments            amqp.Table // of the queues
	Existing             bool       // queues and exchange are there already, and stay
	Keep                 bool       // queues and exchange stay, though the run has made them

	Size       int     // bytes of a body
	Rate       float64 // messages per second of each producer; 0: as fast as it goes
	TakeRate   float64 // messages per second that each consumer acknowledges at most; 0: any
	Count      int     // messages of each producer; 0: until Duration is over
	Duration   time.Duration
	WarmUp     time.Duration // at the beginning, not measured
	Persistent bool          // durable queues and persistent messages
	Window     int           // publishes without a confirm that a producer may have; 0: no confirms
	AutoAck    bool
	Prefetch   int
	AckEvery   int // deliveries that one acknowledgement is for

	Interval time.Duration // between two reports of progress
}

const (
	mostBytes       = 512 << 20 // the most that RabbitMQ can be told to take
	mostUnconfirmed = 1_000_000 // room is made for as many
)

// check refuses what makes no sense together. Errors name the command's flags.
func (o *Options) check() error {
	switch {
	case len(o.URIs) == 0:
		return fmt.Errorf("--uri: at least one is needed")
	case o.Producers < 0 || o.Consumers < 0 || o.Producers+o.Consumers == 0:
		return fmt.Errorf("--producers and --consumers: at least one of either is needed")
	case o.Queues < 1:
		return fmt.Errorf("--queues: at least one is needed")
	case o.QueueName == "":
		return fmt.Errorf("--queue: a name is needed")
	case o.Size < 0 || o.Size > mostBytes:
		return fmt.Errorf("--size: a body cannot have %d bytes; the largest has %d", o.Size, mostBytes)
	case !(o.Rate >= 0) || math.IsInf(o.Rate, 1):
		return fmt.Errorf("--rate: there is no rate of %g", o.Rate)
	case !(o.TakeRate >= 0) || math.IsInf(o.TakeRate, 1):
		return fmt.Errorf("--consumer-rate: there is no rate of %g", o.TakeRate)
	case o.TakeRate > 0 && o.AutoAck:
		return fmt.Errorf("--consumer-rate: a broker does not notice how fast a consumer with --auto-ack is")
	case o.Count < 0:
		return fmt.Errorf("--count: there is no count of %d", o.Count)
	case o.Count == 0 && o.Duration <= 0:
		return fmt.Errorf("--count or --duration: one of them must end the run")
	case o.WarmUp < 0 || o.Duration > 0 && o.WarmUp >= o.Duration:
		return fmt.Errorf("--warmup: it must be shorter than --duration")
	case o.Window < 0 || o.Window > mostUnconfirmed:
		return fmt.Errorf("--confirm: %d is not a number from 0 to %d", o.Window, mostUnconfirmed)
	case o.Prefetch < 0 || o.Prefetch > 65535:
		return fmt.Errorf("--prefetch: %d is not a number from 0 to 65535", o.Prefetch)
	case o.AckEvery < 1 || o.Prefetch > 0 && o.AckEvery > o.Prefetch:
		return fmt.Errorf("--ack-every: it must be at least 1, and at most the prefetch, or no acknowledgement would ever be due")
	case o.Interval <= 0:
		return fmt.Errorf("--interval: it must be longer than 0")
	case o.Producers == 0 && o.Duration <= 0:
		return fmt.Errorf("--duration: without producers it must end the run")
	case o.Exchange == "" && o.ExchangeType != "direct":
		return fmt.Errorf("--exchange-type: the default exchange is direct; name another one with --exchange")
	}
	return nil
}

// queue is the name of a queue; they count from 0.
func (o *Options) queue(i int) string {
	if o.Queues == 1 {
		return o.QueueName
	}
	return fmt.Sprintf("%s-%d", o.QueueName, i+1)
}

// uri is the address of a connection; they count from 0.
func (o *Options) uri(i int) string { return o.URIs[i%len(o.URIs)] }
