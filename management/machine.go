package management

import (
	"runtime"
	"runtime/metrics"
)

// machine is what the process takes of its machine.
type machine struct {
	memory            uint64 // bytes that Go has from the system
	files, filesLimit uint64 // open file descriptors, sockets included
	sockets           uint64 // AMQP connections
	goroutines        uint64
	diskFree          uint64 // bytes
	collections       uint64 // garbage collections
	reclaimed         uint64 // bytes that they freed
}

// maxGoroutines is shown as proc_total. Go has no limit; RabbitMQ's default number of Erlang processes serves as one,
// so that a share of it means something.
const maxGoroutines = 1 << 20

// Counters of the node behind those of messages and queues.
const (
	connectionsOpened = queueWidth + iota
	connectionsClosed
	channelsOpened
	channelsClosed
	queuesDeclared
	queuesCreated
	queuesDeleted
	memoryUsed
	filesUsed
	socketsUsed
	goroutinesUsed
	diskFree
	collections
	bytesReclaimed
	nodeWidth
)

// nodeCounters are for the sampler.
func (s *Server) nodeCounters(all *tally) []uint64 {
	st, m, t := all.stats(), s.machine(), &s.broker.Totals
	return append(messageCounters(make([]uint64, 0, nodeWidth), &all.messages),
		uint64(st.Ready), uint64(st.Unacked),
		t.ConnectionsOpened.Load(), t.ConnectionsClosed.Load(), t.ChannelsOpened.Load(), t.ChannelsClosed.Load(),
		t.QueuesDeclared.Load(), t.QueuesCreated.Load(), t.QueuesDeleted.Load(),
		m.memory, m.files, m.sockets, m.goroutines, m.diskFree, m.collections, m.reclaimed)
}

func (s *Server) machine() machine {
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/gc/heap/frees:bytes"},
	}
	metrics.Read(samples)
	value := func(i int) uint64 { return samples[i].Value.Uint64() }
	t := &s.broker.Totals
	m := machine{
		memory:      value(0) - value(1),
		sockets:     t.ConnectionsOpened.Load() - t.ConnectionsClosed.Load(),
		goroutines:  uint64(runtime.NumGoroutine()),
		diskFree:    s.cfg.Resources().DiskFree,
		collections: value(2),
		reclaimed:   value(3),
	}
	m.files, m.filesLimit = openFiles()
	return m
}
