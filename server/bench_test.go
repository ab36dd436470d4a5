package server

import (
	"fmt"
	"testing"

	"github.com/rs/zerolog"

	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/storage"
)

// batchSize is how many publishes a read brings in these benchmarks.
const batchSize = 1000

// benchmarkMessages runs messages from socket to socket, through the whole path but the kernel.
func benchmarkMessages(b *testing.B, size int, noAck bool) {
	core, err := broker.New(broker.Config{})
	if err != nil {
		b.Fatal(err)
	}
	benchmarkScript(b, core, opening(noAck), publishes(batchSize, size), size, noAck)
}

// benchmarkScript runs a batch of messages again and again, each of which acknowledges what the one before has brought.
func benchmarkScript(b *testing.B, core *broker.Broker, opening, batch []byte, size int, noAck bool) {
	s := New(Config{Heartbeat: -1}, core, zerolog.Nop())
	acking := append(ackUpTo(nil, 0), batch...) // acknowledges what the batch before brought
	sent := uint64(0)
	socket := &scriptedSocket{opening: opening}
	c := newConn(s, socket)
	socket.next = func() []byte {
		c.out.flush() // what is acknowledged next must have been delivered
		if sent == 0 {
			b.ResetTimer()
		}
		if sent >= uint64(b.N) {
			b.StopTimer()
			return nil
		}
		sent += batchSize
		if noAck || sent == batchSize {
			return batch
		}
		patchTag(acking, sent-batchSize)
		return acking
	}
	b.ReportAllocs()
	c.serve()
	if want := int64(sent) * int64(size); socket.written.Load() < want {
		b.Fatalf("%d bytes written, want more than %d", socket.written.Load(), want)
	}
}

// BenchmarkPublishDeliver is a transient message to a consumer without acknowledgements.
func BenchmarkPublishDeliver(b *testing.B) {
	for _, size := range []int{16, 1024} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) { benchmarkMessages(b, size, true) })
	}
}

// BenchmarkPublishDeliverAck is a transient message to a consumer that acknowledges a thousand at once.
func BenchmarkPublishDeliverAck(b *testing.B) {
	for _, size := range []int{16, 1024} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) { benchmarkMessages(b, size, false) })
	}
}

// BenchmarkPublishDeliverAckPersistent is a persistent message to a durable queue and a consumer that acknowledges a
// thousand at once, with confirms. The committer writes beside it; what it allocates for each group counts too.
func BenchmarkPublishDeliverAckPersistent(b *testing.B) {
	for _, size := range []int{16, 128} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			store, err := storage.Open(b.TempDir(), storage.Options{})
			if err != nil {
				b.Fatal(err)
			}
			core, err := broker.New(broker.Config{Store: store})
			if err != nil {
				b.Fatal(err)
			}
			batch := publishesWith([]byte{0x10, 0, 2}, batchSize, size) // delivery-mode 2
			benchmarkScript(b, core, durableOpening(), batch, size, false)
			core.Close()
			if err := store.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
