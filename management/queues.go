package management

import (
	"time"

	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/queue"
)

// queueObject is a queue. Unacknowledged messages are always in memory, ready ones may be on disk only.
type queueObject struct {
	Name                      string   `json:"name"`
	VHost                     string   `json:"vhost"`
	Node                      string   `json:"node"`
	Type                      string   `json:"type"`
	State                     string   `json:"state"`
	Durable                   bool     `json:"durable"`
	AutoDelete                bool     `json:"auto_delete"`
	Exclusive                 bool     `json:"exclusive"`
	Arguments                 table    `json:"arguments"`
	Policy                    null     `json:"policy"`
	OperatorPolicy            null     `json:"operator_policy"`
	EffectivePolicyDefinition struct{} `json:"effective_policy_definition"`

	depths
	MessagesRAM               uint64 `json:"messages_ram"`
	MessagesReadyRAM          uint64 `json:"messages_ready_ram"`
	MessagesUnacknowledgedRAM uint64 `json:"messages_unacknowledged_ram"`
	MessagesPagedOut          uint64 `json:"messages_paged_out"`

	// Bytes of bodies.
	MessageBytes               int64 `json:"message_bytes"`
	MessageBytesReady          int64 `json:"message_bytes_ready"`
	MessageBytesUnacknowledged int64 `json:"message_bytes_unacknowledged"`
	MessageBytesRAM            int64 `json:"message_bytes_ram"`
	MessageBytesPagedOut       int64 `json:"message_bytes_paged_out"` // both about, if some are
	Memory                     int64 `json:"memory"`                  // bytes of the log, bodies included

	HeadMessageTimestamp *uint64 `json:"head_message_timestamp"` // seconds
	IdleSince            string  `json:"idle_since,omitempty"`

	Consumers               int      `json:"consumers"`
	ConsumerCapacity        float64  `json:"consumer_capacity"`
	ConsumerUtilisation     float64  `json:"consumer_utilisation"` // the older name of the same
	ExclusiveConsumerTag    optional `json:"exclusive_consumer_tag"`
	SingleActiveConsumerTag null     `json:"single_active_consumer_tag"`
	RecoverableSlaves       null     `json:"recoverable_slaves"`

	MessageStats *queueMessageStats `json:"message_stats,omitempty"`
}

// singleQueueObject has what only GET of one queue shows. Incoming and Deliveries are filled in RabbitMQ's detailed
// rates mode only.
type singleQueueObject struct {
	queueObject
	ConsumerDetails []any `json:"consumer_details"`
	Incoming        []any `json:"incoming"`
	Deliveries      []any `json:"deliveries"`
	OwnerPIDDetails *peer `json:"owner_pid_details,omitempty"` // the connection that an exclusive queue belongs to
}

func (s *Server) listQueues(r *request) (any, error) {
	vhosts, err := r.vhosts()
	if err != nil {
		return nil, err
	}
	var all []*broker.Queue
	for _, vh := range vhosts {
		all = append(all, vh.Queues()...)
	}
	return pagedListOf(all, func(q *broker.Queue) any { return new(s.queueObject(q)) }), nil
}

func (s *Server) getQueue(r *request) (any, error) {
	q, err := r.queue()
	if err != nil {
		return nil, err
	}
	o := singleQueueObject{queueObject: s.queueObject(q), ConsumerDetails: []any{}, Incoming: []any{}, Deliveries: []any{}}
	if c, ok := q.Owner().(broker.Connection); ok {
		o.OwnerPIDDetails = new(peerOf(c))
	}
	for _, sub := range q.Subscriptions() {
		if c, ok := s.consumerObject(sub); ok {
			o.ConsumerDetails = append(o.ConsumerDetails, c)
		}
	}
	return o, nil
}

// queue is the one that the path names.
func (r *request) queue() (*broker.Queue, error) {
	vh, err := r.vhost()
	if err != nil {
		return nil, err
	}
	q, ok := vh.Queue(r.name("{queue}"))
	if !ok {
		return nil, errNotFound
	}
	return q, nil
}

func (s *Server) queueObject(q *broker.Queue) queueObject {
	st := q.Figures()
	rates, changed := s.samples.queue(q)
	messages := messagesOf(&st)
	o := queueObject{
		Name: q.Name(), VHost: q.VHost().Name(), Node: s.broker.NodeName(), Type: q.Type(), State: "running",
		Durable: q.Durable(), AutoDelete: q.AutoDelete(), Exclusive: q.Exclusive(), Arguments: table(q.Arguments()),

		depths:       depthsOf(st.Ready, st.Unacked, rates),
		MessageBytes: st.ReadyBytes + st.UnackedBytes, MessageBytesReady: st.ReadyBytes, MessageBytesUnacknowledged: st.UnackedBytes,
		Memory: st.MemoryBytes,

		IdleSince: timestamp(idleSince(changed, s.broker.Now())),
		Consumers: st.Consumers,

		MessageStats: queueStatsOf(&messages, rates),
	}
	if st.Ready+st.Unacked > 0 {
		o.showMessages(q, &st)
	}
	if st.Consumers > 0 {
		o.showConsumers(q, &st)
	}
	return o
}

// showMessages adds what is known of a queue that is not empty: where its messages are.
func (o *queueObject) showMessages(q *broker.Queue, st *queue.Stats) {
	all := st.Ready + st.Unacked
	resident := min(q.Resident(), all) // of a moment later
	o.MessagesRAM, o.MessagesPagedOut = uint64(resident), uint64(all-resident)
	o.MessagesUnacknowledgedRAM = uint64(min(st.Unacked, resident))
	o.MessagesReadyRAM = o.MessagesRAM - o.MessagesUnacknowledgedRAM
	o.MessageBytesRAM = int64(float64(o.MessageBytes) * float64(resident) / float64(all))
	o.MessageBytesPagedOut = o.MessageBytes - o.MessageBytesRAM
	if seconds, ok := q.HeadTimestamp(); ok {
		o.HeadMessageTimestamp = &seconds
	}
}

// showConsumers adds what is known of a queue's consumers. While a message is ready none of them has credit, and the
// queue waits for them; RabbitMQ shows an average over some seconds instead of this moment.
func (o *queueObject) showConsumers(q *broker.Queue, st *queue.Stats) {
	if st.Ready == 0 {
		o.ConsumerCapacity, o.ConsumerUtilisation = 1, 1
	}
	for _, sub := range q.Subscriptions() {
		if sub.Exclusive() {
			o.ExclusiveConsumerTag = optional(sub.Tag())
		}
	}
}

// timestamp writes a time as RabbitMQ does, "" for the zero time.
func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000+00:00")
}
