package broker

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
	"time"

	"github.com/warren-mq/warren/dedup"
	"github.com/warren-mq/warren/exchange"
)

// A window that outlives the broker has a number, chosen at random when its queue or exchange is made and kept in the
// table under kindOfWindow. Rows of a window that is gone are known by it.
const kindOfWindow = 'w' // kind of its owner, vhost, name

// windows are all windows of the broker: they forget what is over although nobody publishes, and what the store has of
// windows that are gone is deleted, both in slices. The zero value is ready.
type windows struct {
	mu      sync.Mutex
	all     map[*deduplication]struct{} // guarded by mu
	orphans []orphan                    // guarded by mu
	timer   *time.Timer                 // guarded by mu; nil until needed
	closed  bool                        // guarded by mu
	running sync.WaitGroup
}

// orphaned notes a row of a window that nobody has any more, at the start.
func (ws *windows) orphaned(b *Broker, id, number uint64) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if n := len(ws.orphans); n == 0 || ws.orphans[n-1].id != id {
		ws.orphans = append(ws.orphans, orphan{id: id})
	}
	last := &ws.orphans[len(ws.orphans)-1]
	last.rows = append(last.rows, dedupRow{number: number})
	ws.armLocked(b)
}

// orphan is what the store has of a window that is gone.
type orphan struct {
	id   uint64
	rows []dedupRow
}

const (
	sweepInterval = time.Second
	sweepEntries  = 4096 // in one slice
	sweepRows     = 1024
)

// add makes a window known, and the timer run.
func (ws *windows) add(b *Broker, d *deduplication) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.all == nil {
		ws.all = make(map[*deduplication]struct{})
	}
	ws.all[d] = struct{}{}
	ws.armLocked(b)
}

func (ws *windows) armLocked(b *Broker) {
	if ws.timer == nil && !ws.closed {
		ws.timer = time.AfterFunc(sweepInterval, func() { ws.sweep(b) })
	}
}

// remove ends a window whose owner is deleted. What the store has of it is deleted by the sweeps to come; the number is
// free at once, so that a successor of the same name has nothing of it.
func (ws *windows) remove(b *Broker, d *deduplication) {
	d.mu.Lock()
	d.ended = true
	left := orphan{d.id, d.rows}
	d.rows = nil
	d.mu.Unlock()
	ws.mu.Lock()
	defer ws.mu.Unlock()
	delete(ws.all, d)
	if len(left.rows) > 0 {
		ws.orphans = append(ws.orphans, left)
		ws.armLocked(b)
	}
}

// sweep is run by the timer; close waits for it.
func (ws *windows) sweep(b *Broker) {
	ws.mu.Lock()
	if ws.closed {
		ws.mu.Unlock()
		return
	}
	ws.running.Add(1)
	defer ws.running.Done()
	list := make([]*deduplication, 0, len(ws.all))
	for d := range ws.all {
		list = append(list, d)
	}
	ws.mu.Unlock()
	for _, d := range list {
		for !d.sweep() && !ws.stopped() {
		}
	}
	for !ws.sweepOrphans(b) && !ws.stopped() {
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.closed || len(ws.all)+len(ws.orphans) == 0 {
		ws.timer = nil
		return
	}
	ws.timer.Reset(sweepInterval)
}

func (ws *windows) stopped() bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return ws.closed
}

// sweep forgets a slice of what is over, and reports whether that was all.
func (d *deduplication) sweep() (done bool) {
	now := d.broker.nowMillis()
	d.broker.Enter()
	defer d.broker.Leave()
	d.mu.Lock()
	defer d.mu.Unlock()
	done = d.window.Trim(now, sweepEntries)
	d.saveLocked()
	return d.ended || d.deleteRowsLocked(sweepRows) && done
}

// sweepOrphans deletes a slice of what is left of windows that are gone, and reports whether that was all.
func (ws *windows) sweepOrphans(b *Broker) (done bool) {
	ws.mu.Lock()
	if len(ws.orphans) == 0 {
		ws.orphans = nil
		ws.mu.Unlock()
		return true
	}
	o := &ws.orphans[0]
	id, rows := o.id, o.rows[:min(len(o.rows), sweepRows)]
	if o.rows = o.rows[len(rows):]; len(o.rows) == 0 {
		ws.orphans = ws.orphans[1:]
	}
	ws.mu.Unlock()
	b.Enter()
	defer b.Leave()
	for _, r := range rows {
		b.unput(rowKey(id, r.number))
	}
	return false
}

// close ends the sweeps.
func (ws *windows) close() {
	ws.mu.Lock()
	ws.closed = true
	if ws.timer != nil {
		ws.timer.Stop()
	}
	ws.mu.Unlock()
	ws.running.Wait()
}

// deduplicate makes the window of a queue or an exchange that is made or found, between Enter and Leave. What is durable
// gets a number, unless the store has one, which is set later.
func (vh *VHost) deduplicate(kind, name string, o dedup.Options, durable, found bool) *deduplication {
	d := vh.broker.newDeduplication(o)
	if durable && !found && vh.broker.cfg.Store != nil {
		var random [8]byte
		rand.Read(random[:]) // never fails
		d.id = max(binary.BigEndian.Uint64(random[:]), 1)
		vh.broker.put(definitionKey(kindOfWindow, kind, vh.name, name), binary.BigEndian.AppendUint64(nil, d.id))
	}
	vh.broker.windows.add(vh.broker, d)
	return d
}

func (vh *VHost) deduplicateExchange(x *exchange.Exchange, found bool) {
	if o, ok := x.Deduplication(); ok {
		d := vh.deduplicate(kindExchange, x.Name(), o.Options, x.Durable() && !o.Volatile, found)
		d.plugin = o.Plugin
		vh.deduplications.Store(x, d)
	}
}

// forget ends a window with its owner, between Enter and Leave.
func (vh *VHost) forget(kind, name string, d *deduplication) {
	if d == nil {
		return
	}
	if d.id != 0 {
		vh.broker.unput(definitionKey(kindOfWindow, kind, vh.name, name))
	}
	vh.broker.windows.remove(vh.broker, d)
}

// recoverWindows fills the windows of the queues and exchanges that were found.
func (b *Broker) recoverWindows() error {
	known := make(map[uint64]*deduplication)
	err := b.eachDefinition(kindOfWindow, func(key, value []byte) error {
		names, err := cutNames(key, 3)
		if err != nil || len(value) != 8 {
			return errDefinition
		}
		if d := b.windowOf(names[0], names[1], names[2]); d != nil {
			d.id = binary.BigEndian.Uint64(value)
			known[d.id] = d
		}
		return nil
	})
	if err != nil {
		return err
	}
	return b.eachDefinition(kindOfWindowRow, func(key, value []byte) error {
		if len(key) != 17 {
			return errDefinition
		}
		d := known[binary.BigEndian.Uint64(key[1:])]
		if d == nil {
			b.windows.orphaned(b, binary.BigEndian.Uint64(key[1:]), binary.BigEndian.Uint64(key[9:]))
			return nil
		}
		return d.loadRow(binary.BigEndian.Uint64(key[9:]), value)
	})
}

// windowOf finds the window of a queue or an exchange, nil if it has none.
func (b *Broker) windowOf(kind, vhost, name string) *deduplication {
	vh, ok := b.VHost(vhost)
	if !ok {
		return nil
	}
	if kind == kindQueue {
		if q, ok := vh.Queue(name); ok {
			return q.dedup
		}
		return nil
	}
	if x, ok := vh.Exchange(name); ok {
		return vh.windowOfExchange(x)
	}
	return nil
}

func (vh *VHost) windowOfExchange(x *exchange.Exchange) *deduplication {
	if d, ok := vh.deduplications.Load(x); ok {
		return d.(*deduplication)
	}
	return nil
}
