package storage_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warren-mq/warren/storage"
)

// BenchmarkStoreBacklog fills a log, reopens the store, and drains it: memory must not grow with the backlog. One
// operation is the whole; the rates are messages per second.
func BenchmarkStoreBacklog(b *testing.B) {
	for _, c := range []struct{ size, count int }{{100, 1_000_000}, {1 << 10, 1_000_000}, {100, 10_000_000}} {
		b.Run(fmt.Sprintf("size=%d/count=%d", c.size, c.count), func(b *testing.B) {
			for b.Loop() {
				backlog(b, c.size, c.count)
			}
		})
	}
}

func backlog(b *testing.B, size, count int) {
	dir := b.TempDir()
	s := openStore(b, dir, storage.Options{Log: b.Logf})
	var mu sync.Mutex
	durable := sync.Cond{L: &mu}
	s.Notify(func(storage.Commit) { durable.Broadcast() })
	s.Enter()
	l := s.CreateLog([]byte("q"), true)
	s.Leave()
	began, last := time.Now(), storage.Commit(0)
	anonPeak, rssPeak := 0, 0
	for n := 0; n < count; n += 1000 {
		c := s.Enter()
		for range 1000 {
			_, record := l.Append(size, true)
			record[0], record[size-1] = 1, 1
		}
		s.Leave()
		s.Want(c)
		mu.Lock()
		for s.Durable() < last {
			durable.Wait()
		}
		mu.Unlock()
		if err := s.WaitRoom(b.Context()); err != nil {
			b.Fatal(err)
		}
		last = c
		if n%100_000 == 0 {
			anon, rss := memory()
			anonPeak, rssPeak = max(anonPeak, anon), max(rssPeak, rss)
		}
	}
	fill := time.Since(began)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	began = time.Now()
	s = openStore(b, dir, storage.Options{Log: b.Logf})
	opened := time.Since(began)
	l = s.Logs()[0]
	ready := make(chan struct{}, 1)
	l.OnReady(func() {
		select {
		case ready <- struct{}{}:
		default:
		}
	})
	began = time.Now()
	anonDrain := 0
	for seq := l.First(); seq < l.Next(); {
		s.Enter()
		missing := false
		for range 1000 {
			if seq == l.Next() {
				break
			}
			if record, ok := l.At(seq); !ok {
				missing = true
				break
			} else if record[0] != 1 || record[size-1] != 1 {
				b.Fatalf("record %d is other", seq)
			}
			l.Gone(seq)
			seq++
		}
		s.Leave()
		if missing {
			<-ready
		}
		if seq%100_000 == 0 {
			anon, _ := memory()
			anonDrain = max(anonDrain, anon)
		}
	}
	drain := time.Since(began)
	b.ReportMetric(float64(count)/fill.Seconds(), "fill/s")
	b.ReportMetric(float64(count)/drain.Seconds(), "drain/s")
	b.ReportMetric(float64(opened.Milliseconds()), "open-ms")
	b.ReportMetric(float64(anonPeak>>20), "fill-anon-MiB")
	b.ReportMetric(float64(rssPeak>>20), "fill-rss-MiB")
	b.ReportMetric(float64(anonDrain>>20), "drain-anon-MiB")
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// memory returns the process's anonymous and whole resident memory in bytes, 0 where the kernel does not tell.
func memory() (anon, rss int) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0
	}
	for line := range strings.SplitSeq(string(status), "\n") {
		field := strings.Fields(line)
		if len(field) < 2 {
			continue
		}
		n, _ := strconv.Atoi(field[1])
		switch field[0] {
		case "VmRSS:":
			rss = n << 10
		case "RssAnon:":
			anon = n << 10
		}
	}
	return anon, rss
}

// BenchmarkPurge tells for how long a purge of a million records, or the end of their log, keeps everybody else out of the
// store: it is one piece of work, between one Enter and Leave.
func BenchmarkPurge(b *testing.B) {
	for _, c := range []struct {
		name  string
		purge func(l *storage.Log)
	}{
		{"by the range", func(l *storage.Log) { l.GoneRange(0, l.Next()) }},
		{"one by one", func(l *storage.Log) {
			for seq := range l.Next() {
				l.Gone(seq)
			}
		}},
		{"drop", (*storage.Log).Drop},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := openStore(b, b.TempDir(), storage.Options{})
			var held time.Duration
			for b.Loop() {
				var l *storage.Log
				do(b, s, func() { l = s.CreateLog(nil, true) })
				for l.Next() < 1_000_000 {
					do(b, s, func() {
						for range 10_000 {
							_, record := l.Append(100, true)
							record[0] = 1
						}
					})
				}
				commit := s.Enter()
				began := time.Now()
				c.purge(l)
				held += time.Since(began)
				s.Leave()
				s.Want(commit)
				waitDurable(b, s, commit)
			}
			b.ReportMetric(float64(held.Microseconds())/1000/float64(b.N), "ms-held/op")
		})
	}
}
