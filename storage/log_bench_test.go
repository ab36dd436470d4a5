package storage_test

import (
	"fmt"
	"testing"

	"github.com/warren-mq/warren/storage"
)

// BenchmarkLog appends one record, reads the oldest and removes it, with depth records in between.
func BenchmarkLog(b *testing.B) {
	for _, size := range []int{100, 1 << 10, 16 << 10} {
		for _, depth := range []int{0, 100_000} {
			if size*depth > 200<<20 {
				continue
			}
			b.Run(fmt.Sprintf("size=%d/depth=%d", size, depth), func(b *testing.B) {
				l := storage.NewLog(storage.Options{})
				for range depth {
					l.Append(size, true)
				}
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					l.Append(size, true)
					first := l.First()
					if _, ok := l.At(first); !ok {
						b.Fatal("the oldest record is not there")
					}
					l.Gone(first)
				}
			})
		}
	}
}

// BenchmarkLogGoneAnywhere acks in the middle of a deep log, where a chunk has to be searched for.
func BenchmarkLogGoneAnywhere(b *testing.B) {
	l := storage.NewLog(storage.Options{})
	const depth = 1_000_000
	for range depth {
		l.Append(100, true)
	}
	b.ReportAllocs()
	i := uint64(0)
	for b.Loop() {
		l.Append(100, true)
		l.Gone(i * 7_919 % depth)
		i++
	}
}
