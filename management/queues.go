package management

import (
	"time"

	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/queue"
)

// queueObject is a queue.
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
	MessagesRAM                uint64 `json:"messages_ram"`
	MessageBytes               int64  `json:"message_bytes"` // of bodies, here and below
	MessageBytesReady          int64  `json:"message_bytes_ready"`
	MessageBytesUnacknowledged int64  `json:"message_bytes_unacknowledged"`
	MessageBytesRAM            int64  `json:"message_bytes_ram"` // about, if some are on disk only
	Memory                     int64  `json:"memory"`            // bytes of the log, bodies included

	// Shown only while messages wait to be ready again: RabbitMQ 3.10.8 knows no such state.
	MessagesDelayed     uint64 `json:"messages_delayed,omitzero"`
	MessageBytesDelayed int64  `json:"message_bytes_delayed,omitzero"`

	// Shown only by queues that deduplicate, once they have something to show.
	MessagesDeduplicated uint64 `json:"messages_deduplicated,omitzero"` // dropped as duplicates
	DedupWindowEntries   int    `json:"dedup_window_entries,omitzero"`

	Consumers           int     `json:"consumers"`
	ConsumerCapacity    float64 `json:"consumer_capacity"`
	ConsumerUtilisation float64 `json:"consumer_utilisation"` // the older name of the same
	IdleSince           string  `json:"idle_since,omitempty"`

	*classicQueue
	*quorumQueue
	MessageStats *queueMessageStats `json:"message_stats,omitempty"`
}

// classicQueue is what only classic queues show.
type classicQueue struct {
	MessagesReadyRAM          uint64   `json:"messages_ready_ram"`
	MessagesUnacknowledgedRAM uint64   `json:"messages_unacknowledged_ram"`
	MessagesPagedOut          uint64   `json:"messages_paged_out"`
	MessageBytesPagedOut      int64    `json:"message_bytes_paged_out"`
	HeadMessageTimestamp      *uint64  `json:"head_message_timestamp"` // seconds
	ExclusiveConsumerTag      optional `json:"exclusive_consumer_tag"`
	SingleActiveConsumerTag   optional `json:"single_active_consumer_tag"`
	RecoverableSlaves         null     `json:"recoverable_slaves"`
}

// quorumQueue is what only quorum queues show. Each lives on this node alone.
type quorumQueue struct {
	Leader  string   `json:"leader"`
	Members []string `json:"members"`
	Online  []string `json:"online"`
	// Dead letters that nobody has taken yet.
	MessagesDLX     int   `json:"messages_dlx"`
	MessageBytesDLX int64 `json:"message_bytes_dlx"`
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
	if bare, totals := r.query.withoutStats(); bare {
		return pagedListOf(all, func(q *broker.Queue) any { return s.bareQueue(q, totals) }), nil
	}
	return pagedListOf(all, func(q *broker.Queue) any { return new(s.queueObject(q)) }), nil
}

func (s *Server) getQueue(r *request) (any, error) {
	vh, err := r.vhost()
	if err != nil {
		return nil, err
	}
	q, ok := vh.Queue(r.name("{queue}"))
	if !ok {
		return nil, errNotFound
	}
	if bare, _ := r.query.withoutStats(); bare {
		return s.bareQueue(q, false), nil
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

func (s *Server) queueObject(q *broker.Queue) queueObject {
	st := q.Figures()
	rates, changed := s.samples.queue(q)
	messages := messagesOf(&st)
	o := queueObject{
		Name: q.Name(), VHost: q.VHost().Name(), Node: s.broker.NodeName(), Type: q.Type(), State: "running",
		Durable: q.Durable(), AutoDelete: q.AutoDelete(), Exclusive: q.Exclusive(), Arguments: table(q.Arguments()),

		depths:       depthsOf(&st, rates),
		MessageBytes: st.Bytes(), MessageBytesReady: st.ReadyBytes, MessageBytesUnacknowledged: st.UnackedBytes,
		Memory:          st.MemoryBytes,
		MessagesDelayed: uint64(st.Delayed), MessageBytesDelayed: st.DelayedBytes,

		IdleSince: timestamp(idleSince(changed, s.broker.Now())),
		Consumers: st.Consumers,

		MessageStats: queueStatsOf(&messages, rates),
	}
	o.MessagesDeduplicated = st.Deduplicated
	if f, ok := q.Dedup(); ok {
		o.MessagesDeduplicated, o.DedupWindowEntries = o.MessagesDeduplicated+f.Duplicates, f.Entries
	}
	if o.Type == "quorum" {
		node := []string{o.Node}
		o.quorumQueue = &quorumQueue{
			Leader: o.Node, Members: node, Online: node,
			MessagesDLX: st.Discarded, MessageBytesDLX: st.DiscardedBytes,
		}
	} else {
		o.classicQueue = new(classicQueue)
	}
	if st.Messages() > 0 {
		o.showMessages(q, &st)
	}
	if st.Consumers > 0 {
		o.showConsumers(q, &st)
	}
	return o
}

// showMessages adds what is known of a queue that is not empty: where its messages are, and how old.
func (o *queueObject) showMessages(q *broker.Queue, st *queue.Stats) {
	all := st.Messages()
	resident := min(q.Resident(), all) // of a moment later
	o.MessagesRAM = uint64(resident)
	o.MessageBytesRAM = int64(float64(o.MessageBytes) * float64(resident) / float64(all))
	if o.classicQueue == nil {
		return
	}
	// What consumers hold stays in memory, so the rest of what is there is ready, or waits to be.
	unacked := min(st.Unacked, resident)
	o.MessagesUnacknowledgedRAM, o.MessagesReadyRAM = uint64(unacked), uint64(min(st.Ready, resident-unacked))
	o.MessagesPagedOut, o.MessageBytesPagedOut = uint64(all-resident), o.MessageBytes-o.MessageBytesRAM
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
	if o.classicQueue == nil {
		return
	}
	for _, sub := range q.Subscriptions() {
		if sub.Exclusive() {
			o.ExclusiveConsumerTag = optional(sub.Tag())
		}
		if q.SingleActive() && sub.Active() {
			o.SingleActiveConsumerTag = optional(sub.Tag())
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
