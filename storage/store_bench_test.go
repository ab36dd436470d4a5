package storage_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/warren-mq/warren/storage"
)

// BenchmarkStoreEnqueueAck publishes in batches of 1,000 and acks a batch as soon as it is durable; an operation is
// one message. What was written for each byte given is shown where the system counts it, and the CPU that it took;
// BenchmarkAppendAndSync is the limit of both.
func BenchmarkStoreEnqueueAck(b *testing.B) {
	for _, size := range []int{100, 1 << 10, 16 << 10} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			s := openStore(b, b.TempDir(), storage.Options{})
			s.Enter()
			l := s.CreateLog([]byte("q"), true)
			s.Leave()
			var mu sync.Mutex
			durable := sync.Cond{L: &mu}
			s.Notify(func(storage.Commit) { durable.Broadcast() })
			batch := min(1000, 4<<20/size)
			content := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.ResetTimer()
			defer measure(b, size)()
			type inFlight struct {
				commit   storage.Commit
				from, to uint64
			}
			var waiting []inFlight
			ack := func() {
				w := waiting[0]
				waiting = append(waiting[:0], waiting[1:]...)
				s.Want(w.commit)
				mu.Lock()
				for s.Durable() < w.commit {
					durable.Wait()
				}
				mu.Unlock()
				s.Enter()
				for seq := w.from; seq < w.to; seq++ {
					l.Gone(seq)
				}
				s.Leave()
			}
			for n := 0; n < b.N; n += batch {
				c := s.Enter()
				from := l.Next()
				for range min(batch, b.N-n) {
					_, record := l.Append(size, true)
					copy(record, content)
				}
				to := l.Next()
				s.Leave()
				if waiting = append(waiting, inFlight{c, from, to}); len(waiting) > 1 {
					ack()
				}
			}
			for len(waiting) > 0 {
				ack()
			}
		})
	}
}

// measure reports, when the function that it returns is called, the CPU that the process took for an operation, and how
// much the system wrote for each byte of it.
func measure(b *testing.B, size int) func() {
	cpu, written := usage()
	return func() {
		cpuNow, writtenNow := usage()
		b.ReportMetric(float64(cpuNow-cpu)/float64(b.N), "cpu-ns/op")
		b.ReportMetric(float64(writtenNow-written)/float64(size)/float64(b.N), "written/byte")
	}
}

func usage() (cpu, written int64) {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err == nil {
		cpu = r.Utime.Nano() + r.Stime.Nano()
	}
	if io, err := os.ReadFile("/proc/self/io"); err == nil {
		if _, rest, ok := strings.Cut(string(io), "\nwrite_bytes: "); ok {
			_, _ = fmt.Sscan(rest, &written)
		}
	}
	return cpu, written
}

// BenchmarkAppendAndSync is the limit: the same bytes appended to one file, synced once for 1,000 of them. A plain file
// grows, which costs the file system a journal entry with each sync; one that was written before is the harder limit,
// and what a recycled segment is.
func BenchmarkAppendAndSync(b *testing.B) {
	b.Run("file=growing", func(b *testing.B) { appendAndSync(b, false) })
	b.Run("file=reused", func(b *testing.B) { appendAndSync(b, true) })
}

func appendAndSync(b *testing.B, reused bool) {
	const fileBytes = 64 << 20
	for _, size := range []int{100, 1 << 10, 16 << 10} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "file"))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			if reused {
				if _, err := f.Write(make([]byte, fileBytes)); err != nil {
					b.Fatal(err)
				}
				if err := f.Sync(); err != nil {
					b.Fatal(err)
				}
			}
			batch := min(1000, 4<<20/size)
			content := make([]byte, size)
			buf := make([]byte, 0, batch*size)
			at := int64(0)
			b.SetBytes(int64(size))
			b.ResetTimer()
			defer measure(b, size)()
			for n := 0; n < b.N; n += batch {
				buf = buf[:0]
				for range min(batch, b.N-n) {
					buf = append(buf, content...)
				}
				if reused && at+int64(len(buf)) > fileBytes {
					at = 0
				}
				if _, err := f.WriteAt(buf, at); err != nil {
					b.Fatal(err)
				}
				at += int64(len(buf))
				if err := unix.Fdatasync(int(f.Fd())); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkStoreFanOut appends each message of 1 KiB to ten logs, which share its body in the journal or do not, and
// removes it as soon as it is durable. An operation is one message.
func BenchmarkStoreFanOut(b *testing.B) {
	const size, copies, batch = 1 << 10, 10, 200
	for _, share := range []bool{false, true} {
		b.Run(fmt.Sprintf("shared=%v", share), func(b *testing.B) {
			s := openStore(b, b.TempDir(), storage.Options{})
			var logs []*storage.Log
			s.Enter()
			for range copies {
				logs = append(logs, s.CreateLog(nil, true))
			}
			s.Leave()
			durable := make(chan struct{}, 1)
			s.Notify(func(storage.Commit) {
				select {
				case durable <- struct{}{}:
				default:
				}
			})
			content := make([]byte, size)
			var last storage.Commit
			b.SetBytes(size * copies)
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += batch {
				commit, end := s.Enter(), logs[0].Next()
				for range min(batch, b.N-n) {
					number := uint32(0)
					for _, l := range logs {
						seq, record := l.Append(size, true)
						copy(record, content)
						if share {
							l.Share(seq, &number, size)
						}
					}
				}
				s.Leave()
				s.Want(commit)
				for s.Durable() < last {
					<-durable
				}
				s.Enter()
				for _, l := range logs {
					for seq := l.First(); seq < end; seq++ {
						l.Gone(seq)
					}
				}
				s.Leave()
				last = commit
			}
		})
	}
}
