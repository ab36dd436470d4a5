package management

import (
	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/exchange"
	"github.com/warren-mq/warren/queue"
)

// tally is what adds up over a vhost, or over several. What it says of messages and bytes covers all channels,
// connections and queues that there ever were.
type tally struct {
	messages                   broker.ChannelStats
	receivedBytes, sentBytes   uint64
	receivedFrames, sentFrames uint64
	queued                     map[string]*queue.Stats // by queue type

	// Of those that exist now.
	connections, channels, exchanges, queues int
	publishers                               int // channels that have published
	pendingBytes                             int // waiting to be written to clients
	open                                     channelSums
}

// channelSums add up the open channels.
type channelSums struct {
	unacked, unconfirmed                  int
	uncommittedPublishes, uncommittedAcks int
	prefetch, globalPrefetch              int
}

func (s *channelSums) add(o channelSums) {
	s.unacked += o.unacked
	s.unconfirmed += o.unconfirmed
	s.uncommittedPublishes += o.uncommittedPublishes
	s.uncommittedAcks += o.uncommittedAcks
	s.prefetch += o.prefetch
	s.globalPrefetch += o.globalPrefetch
}

// stats sums up the queues of all types.
func (t *tally) stats() (all queue.Stats) {
	for _, s := range t.queued {
		all.Add(*s)
	}
	return all
}

func (t *tally) addQueue(typ string, s queue.Stats) {
	sum := t.queued[typ]
	if sum == nil {
		if t.queued == nil {
			t.queued = make(map[string]*queue.Stats)
		}
		sum = new(queue.Stats)
		t.queued[typ] = sum
	}
	sum.Add(s)
}

func (t *tally) addChannel(i *broker.ChannelInfo) {
	t.channels++
	if i.Stats.Published > 0 {
		t.publishers++
	}
	t.messages.Add(i.Stats)
	t.open.add(channelSums{
		unacked: i.Unacked, unconfirmed: i.Unconfirmed,
		uncommittedPublishes: i.UncommittedPublishes, uncommittedAcks: i.UncommittedAcks,
		prefetch: int(i.Prefetch), globalPrefetch: int(i.GlobalPrefetch),
	})
}

func (t *tally) addConnection(i *broker.ConnectionInfo) {
	t.connections++
	t.receivedBytes += i.ReceivedBytes
	t.sentBytes += i.SentBytes
	t.receivedFrames += i.ReceivedFrames
	t.sentFrames += i.SentFrames
	t.pendingBytes += i.PendingBytes
}

func (t *tally) addEnded(e broker.EndedCounts) {
	t.messages.Add(e.Messages)
	t.receivedBytes += e.ReceivedBytes
	t.sentBytes += e.SentBytes
	t.receivedFrames += e.ReceivedFrames
	t.sentFrames += e.SentFrames
	for typ, s := range e.Queues {
		t.addQueue(typ, s)
	}
}

// add adds the tally of another vhost.
func (t *tally) add(o *tally) {
	t.messages.Add(o.messages)
	t.receivedBytes += o.receivedBytes
	t.sentBytes += o.sentBytes
	t.receivedFrames += o.receivedFrames
	t.sentFrames += o.sentFrames
	for typ, s := range o.queued {
		t.addQueue(typ, *s)
	}
	t.connections += o.connections
	t.channels += o.channels
	t.exchanges += o.exchanges
	t.queues += o.queues
	t.publishers += o.publishers
	t.pendingBytes += o.pendingBytes
	t.open.add(o.open)
}

// visitor is shown everything that a survey passes. Any of its functions may be nil.
type visitor struct {
	queue      func(*broker.Queue, *queue.Stats)
	exchange   func(*exchange.Exchange)
	connection func(broker.Connection, *broker.ConnectionInfo)
	channel    func(broker.Connection, *broker.ChannelInfo)
}

// survey passes over all vhosts, queues, exchanges, connections and channels once and adds them up by vhost.
func survey(b *broker.Broker, v visitor) map[string]*tally {
	vhosts := b.VHosts()
	tallies := make(map[string]*tally, len(vhosts))
	var s queue.Stats // one for all, since v may keep it from living on the stack
	for _, vh := range vhosts {
		t := new(tally)
		tallies[vh.Name()] = t
		t.addEnded(b.Ended(vh.Name())) // before what lives, see there
		t.exchanges = vh.ExchangeCount()
		if v.exchange != nil {
			for x := range vh.EachExchange() {
				v.exchange(x)
			}
		}
		for q := range vh.EachQueue() {
			s = q.Figures()
			t.queues++
			t.addQueue(q.Type(), s)
			if v.queue != nil {
				v.queue(q, &s)
			}
		}
	}
	surveyConnections(b, tallies, v)
	return tallies
}

func surveyConnections(b *broker.Broker, tallies map[string]*tally, v visitor) {
	for _, c := range b.Connections() {
		info := c.Info()
		t := tallies[info.VHost]
		if t == nil { // the vhost has gone, and so will the connection
			continue
		}
		t.addConnection(&info)
		if v.connection != nil {
			v.connection(c, &info)
		}
		for _, ch := range c.Channels() {
			t.addChannel(&ch)
			if v.channel != nil {
				v.channel(c, &ch)
			}
		}
	}
}

// sum adds up the vhosts that count.
func sum(tallies map[string]*tally, counts func(vhost string) bool) *tally {
	all := new(tally)
	for name, t := range tallies {
		if counts(name) {
			all.add(t)
		}
	}
	return all
}

// everywhere is for sums over the whole node.
func everywhere(string) bool { return true }
