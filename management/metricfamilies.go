package management

import (
	"runtime"
	"slices"

	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/queue"
)

func (c *collector) identity(w *metricWriter) {
	b := c.server.broker
	w.untyped("build_info", "The versions that run", 1,
		"rabbitmq_version", b.Version(), "prometheus_plugin_version", b.Version(),
		"prometheus_client_version", runtime.Version(), "erlang_version", runtime.Version())
	w.untyped("identity_info", "The node and its cluster", 1,
		"rabbitmq_node", b.NodeName(), "rabbitmq_cluster", b.NodeName(), "rabbitmq_cluster_permanent_id", b.NodeName())
}

func (c *collector) totals(w *metricWriter, t *tally) {
	st := t.stats()
	w.gauge("connections", "Open connections", float64(t.connections))
	w.gauge("channels", "Open channels", float64(t.channels))
	w.gauge("consumers", "Consumers", float64(st.Consumers))
	w.gauge("queues", "Queues", float64(t.queues))

	raised := c.server.broker.Alarms.Resources()
	on := func(resource string) float64 {
		if slices.Contains(raised, resource) {
			return 1
		}
		return 0
	}
	w.untyped("alarms_memory_used_watermark", "1 while the memory alarm is raised", on(broker.Memory))
	w.untyped("alarms_free_disk_space_watermark", "1 while the disk alarm is raised", on(broker.Disk))
	w.untyped("alarms_file_descriptor_limit", "1 while file descriptors run out", 0)
}

func (c *collector) churn(w *metricWriter) {
	t := &c.server.broker.Totals
	w.counter("connections_opened_total", "Connections opened", t.ConnectionsOpened.Load())
	w.counter("connections_closed_total", "Connections closed or terminated", t.ConnectionsClosed.Load())
	w.counter("channels_opened_total", "Channels opened", t.ChannelsOpened.Load())
	w.counter("channels_closed_total", "Channels closed", t.ChannelsClosed.Load())
	w.counter("queues_declared_total", "Declarations of queues, new or not", t.QueuesDeclared.Load())
	w.counter("queues_created_total", "Queues created", t.QueuesCreated.Load())
	w.counter("queues_deleted_total", "Queues deleted", t.QueuesDeleted.Load())

	logins := func(protocol string, attempts, failed uint64) {
		w.counter("auth_attempts_total", "Logins tried", attempts, "protocol", protocol)
		w.counter("auth_attempts_failed_total", "Logins refused", failed, "protocol", protocol)
		w.counter("auth_attempts_succeeded_total", "Logins granted", attempts-min(failed, attempts), "protocol", protocol)
	}
	logins("amqp091", t.AuthAttempts.Load(), t.AuthFailures.Load())
	logins("http", c.server.logins.Load(), c.server.refused.Load())
}

func (c *collector) machine(w *metricWriter) {
	s := c.server
	m, limits := s.machine(), s.cfg.Resources()
	w.gauge("process_open_fds", "Open file descriptors", float64(m.files))
	w.gauge("process_max_fds", "Most file descriptors that may be open", float64(m.filesLimit))
	w.gauge("process_open_tcp_sockets", "Open AMQP connections", float64(m.sockets))
	w.gauge("process_max_tcp_sockets", "Most sockets that may be open", float64(m.filesLimit))
	w.gauge("process_resident_memory_bytes", "Memory in use", float64(m.memory))
	w.gauge("resident_memory_limit_bytes", "Memory at which the alarm is raised", float64(limits.MemoryLimit))
	w.gauge("disk_space_available_bytes", "Space left for the data folder", float64(m.diskFree))
	w.gauge("disk_space_available_limit_bytes", "Space below which the alarm is raised", float64(limits.DiskFreeLimit))
	w.gauge("erlang_uptime_seconds", "Time since the node started", s.broker.Now().Sub(s.broker.Started()).Seconds())
	w.gauge("erlang_processes_used", "Goroutines", float64(m.goroutines))
	w.gauge("erlang_processes_limit", "What proc_total shows", maxGoroutines)
	w.counter("erlang_gc_runs_total", "Garbage collections", m.collections)
	w.counter("erlang_gc_reclaimed_bytes_total", "Bytes that garbage collections freed", m.reclaimed)
}

// resident adds up what of the queues is in memory.
type resident struct {
	ready, unacked int
	bytes          float64 // of bodies; about, where some are on disk only
}

func (r *resident) add(q *broker.Queue, st *queue.Stats) {
	all := st.Messages()
	if all == 0 {
		return
	}
	n := min(q.Resident(), all)
	unacked := min(st.Unacked, n)
	r.ready += min(st.Ready, n-unacked)
	r.unacked += unacked
	r.bytes += float64(st.Bytes()) * float64(n) / float64(all)
}

func queueMetrics(w *metricWriter, t *tally, r *resident) {
	st := t.stats()
	all, bytes := float64(st.Messages()), float64(st.Bytes())
	inMemory := float64(r.ready + r.unacked)
	w.gauge("queue_messages", "Messages ready, unacknowledged or delayed", all)
	w.gauge("queue_messages_ready", "Messages ready", float64(st.Ready))
	w.gauge("queue_messages_unacked", "Messages unacknowledged", float64(st.Unacked))
	w.gauge("queue_messages_ram", "Messages in memory", inMemory)
	w.gauge("queue_messages_ready_ram", "Ready messages in memory", float64(r.ready))
	w.gauge("queue_messages_unacked_ram", "Unacknowledged messages in memory", float64(r.unacked))
	w.gauge("queue_messages_paged_out", "Messages on disk only", all-inMemory)
	w.gauge("queue_messages_bytes", "Bytes of bodies", bytes)
	w.gauge("queue_messages_ready_bytes", "Bytes of bodies of ready messages", float64(st.ReadyBytes))
	w.gauge("queue_messages_unacked_bytes", "Bytes of bodies of unacknowledged messages", float64(st.UnackedBytes))
	w.gauge("queue_messages_ram_bytes", "Bytes of bodies in memory", r.bytes)
	w.gauge("queue_messages_paged_out_bytes", "Bytes of bodies on disk only", bytes-r.bytes)
	w.gauge("queue_process_memory_bytes", "Memory of the queues' logs", float64(st.MemoryBytes))
	w.gauge("queue_consumers", "Consumers", float64(st.Consumers))
	w.counter("queue_messages_published_total", "Messages put into queues", st.Publish)
}

func channelMetrics(w *metricWriter, t *tally) {
	m := &t.messages
	w.gauge("channel_consumers", "Consumers", float64(t.stats().Consumers))
	w.gauge("channel_messages_unacked", "Messages delivered and not acknowledged", float64(t.open.unacked))
	w.gauge("channel_messages_unconfirmed", "Messages published and not confirmed", float64(t.open.unconfirmed))
	w.gauge("channel_messages_uncommitted", "Messages published in open transactions", float64(t.open.uncommittedPublishes))
	w.gauge("channel_acks_uncommitted", "Acknowledgements in open transactions", float64(t.open.uncommittedAcks))
	w.gauge("channel_prefetch", "Prefetch of channels, added up", float64(t.open.globalPrefetch))
	w.gauge("consumer_prefetch", "Prefetch for consumers of channels, added up", float64(t.open.prefetch))
	w.counter("channel_messages_published_total", "Messages published", m.Published)
	w.counter("channel_messages_confirmed_total", "Messages confirmed", m.Confirmed)
	w.counter("channel_messages_unroutable_returned_total", "Unroutable mandatory messages returned", m.ReturnedUnroutable)
	w.counter("channel_messages_unroutable_dropped_total", "Unroutable messages dropped", m.DroppedUnroutable)
	w.counter("channel_messages_delivered_ack_total", "Messages delivered to consumers that acknowledge", m.Delivered)
	w.counter("channel_messages_delivered_total", "Messages delivered to consumers that do not acknowledge", m.DeliveredNoAck)
	w.counter("channel_get_ack_total", "Messages fetched, to be acknowledged", m.Got)
	w.counter("channel_get_total", "Messages fetched without acknowledgement", m.GotNoAck)
	w.counter("channel_get_empty_total", "Fetches that found no message", m.GotEmpty)
	w.counter("channel_messages_redelivered_total", "Messages delivered again", m.Redelivered)
	w.counter("channel_messages_acked_total", "Messages acknowledged", m.Acked)
}

func connectionMetrics(w *metricWriter, t *tally) {
	w.counter("connection_incoming_bytes_total", "Bytes from clients", t.receivedBytes)
	w.counter("connection_outgoing_bytes_total", "Bytes to clients", t.sentBytes)
	w.counter("connection_incoming_packets_total", "Frames from clients", t.receivedFrames)
	w.counter("connection_outgoing_packets_total", "Frames to clients", t.sentFrames)
	w.gauge("connection_pending_packets", "Bytes that wait to be written to clients", float64(t.pendingBytes))
	w.gauge("connection_channels", "Channels on connections", float64(t.channels))
}

// deathMetrics count what died in queues, by type of queue and strategy of dead-lettering. They are there from the start.
func deathMetrics(w *metricWriter, t *tally, counts *broker.DeadLettered) {
	const atLeastOnce = broker.AtLeastOnce
	for i, reason := range queue.Reasons() {
		for _, typ := range []string{"classic", "quorum"} {
			for _, strategy := range []string{atLeastOnce, broker.AtMostOnce, broker.Disabled} {
				switch {
				case typ == "classic" && (strategy == atLeastOnce || reason == queue.DeliveryLimit),
					strategy == atLeastOnce && (reason == queue.MaxLen || reason == queue.Duplicate):
					continue // there are none
				}
				n := counts.Of(typ, strategy)[i]
				if s := t.queued[typ]; s != nil && strategy == broker.Disabled {
					n += s.Dropped[i]
				}
				w.counter("global_messages_dead_lettered_"+reason+"_total", "Messages dead-lettered or dropped: "+deathText[i], n,
					"queue_type", "rabbit_"+typ+"_queue", "dead_letter_strategy", strategy)
			}
		}
	}
	w.counter("global_messages_dead_lettered_confirmed_total", "Dead letters that their queues have taken", counts.Confirmed.Load(),
		"queue_type", "rabbit_quorum_queue", "dead_letter_strategy", atLeastOnce)
}

// deathText says the reasons in words, in the order of queue.Reasons.
var deathText = [...]string{"they expired", "they were rejected", "their queue was full", "they were given back too often",
	"they had come before"}

// globalMetrics are those by protocol and by queue type. They are there from the start, also for types without queues.
func globalMetrics(w *metricWriter, t *tally) {
	m := &t.messages
	const protocol, amqp091 = "protocol", "amqp091"
	st := t.stats()
	w.counter("global_messages_received_total", "Messages from publishers",
		m.Published+uint64(t.open.uncommittedPublishes), protocol, amqp091)
	w.counter("global_messages_received_confirm_total", "Messages from publishers that want confirms",
		m.Confirmed+uint64(t.open.unconfirmed), protocol, amqp091)
	w.counter("global_messages_routed_total", "Messages put into queues", st.Publish, protocol, amqp091)
	w.counter("global_messages_unroutable_dropped_total", "Unroutable messages dropped", m.DroppedUnroutable, protocol, amqp091)
	w.counter("global_messages_unroutable_returned_total", "Unroutable messages returned", m.ReturnedUnroutable, protocol, amqp091)
	w.counter("global_messages_confirmed_total", "Messages confirmed", m.Confirmed, protocol, amqp091)
	w.gauge("global_publishers", "Channels that have published", float64(t.publishers), protocol, amqp091)
	w.gauge("global_consumers", "Consumers", float64(st.Consumers), protocol, amqp091)

	for _, typ := range []string{"classic", "quorum", "stream"} {
		s := t.queued[typ]
		if s == nil {
			s = new(queue.Stats)
		}
		labels := []string{protocol, amqp091, "queue_type", "rabbit_" + typ + "_queue"}
		w.counter("global_messages_delivered_total", "Messages delivered or fetched",
			s.Deliver+s.DeliverNoAck+s.Get+s.GetNoAck, labels...)
		w.counter("global_messages_delivered_consume_manual_ack_total", "Messages delivered to consumers that acknowledge", s.Deliver, labels...)
		w.counter("global_messages_delivered_consume_auto_ack_total", "Messages delivered to consumers that do not acknowledge", s.DeliverNoAck, labels...)
		w.counter("global_messages_delivered_get_manual_ack_total", "Messages fetched, to be acknowledged", s.Get, labels...)
		w.counter("global_messages_delivered_get_auto_ack_total", "Messages fetched without acknowledgement", s.GetNoAck, labels...)
		w.counter("global_messages_get_empty_total", "Fetches that found no message", s.GetEmpty, labels...)
		w.counter("global_messages_redelivered_total", "Messages delivered again", s.Redeliver, labels...)
		w.counter("global_messages_acknowledged_total", "Messages acknowledged", s.Ack, labels...)
	}
}
