package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// progress passes bytes on and tells how many there were, as long as nobody interrupts. It serves as a Writer or as a
// Reader.
type progress struct {
	ctx    context.Context
	to     io.Writer
	from   io.Reader
	report io.Writer
	what   string
	total  int64 // 0: unknown

	bytes int64
	told  time.Time
}

// progressInterval is how often progress is told.
const progressInterval = 2 * time.Second

func (p *progress) Write(b []byte) (int, error) {
	if p.ctx.Err() != nil {
		return 0, context.Cause(p.ctx)
	}
	n, err := p.to.Write(b)
	p.add(n)
	return n, err
}

func (p *progress) Read(b []byte) (int, error) {
	if p.ctx.Err() != nil {
		return 0, context.Cause(p.ctx)
	}
	n, err := p.from.Read(b)
	p.add(n)
	return n, err
}

func (p *progress) add(n int) {
	p.bytes += int64(n)
	now := time.Now()
	switch {
	case p.told.IsZero():
		p.told = now
	case now.Sub(p.told) < progressInterval:
	case p.total > 0:
		p.told = now
		fmt.Fprintf(p.report, "%s: %s of %s\n", p.what, roughSize(p.bytes), roughSize(p.total))
	default:
		p.told = now
		fmt.Fprintf(p.report, "%s: %s\n", p.what, roughSize(p.bytes))
	}
}

// roughSize prints a number of bytes for people.
func roughSize(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
}

var errInterrupted = errors.New("interrupted by a signal")

// interruptible returns a context that a signal to the process ends. done must be called.
func (p *process) interruptible(ctx context.Context) (work context.Context, done func()) {
	work, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() { // joined by done
		defer close(ended)
		select {
		case <-p.signals:
			cancel(errInterrupted)
		case <-work.Done():
		}
	}()
	return work, func() {
		cancel(nil)
		<-ended
	}
}
