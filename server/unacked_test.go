package server

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/warren-mq/warren/amqp"
)

// TestUnackedAgreesWithAPlainList compares random deliveries and acknowledgements with a list that is searched.
func TestUnackedAgreesWithAPlainList(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var u unacked
		var model []uint64
		k := &consumer{}
		tag := uint64(0)
		var held []delivery // taken by a transaction
		for range 400 {
			switch n := r.IntN(10); {
			case n < 5:
				tag += 1 + uint64(r.IntN(3)) // gaps: deliveries that need no acknowledgement
				u.push(tag, tag, k, 0)
				model = append(model, tag)
			case n < 9:
				ask, multiple := uint64(r.IntN(int(tag)+2)), r.IntN(3) == 0
				var got []uint64
				err := u.take(ask, multiple, func(d delivery) { got = append(got, d.tag); held = append(held, d) })
				want, ok := takeFromList(&model, ask, multiple)
				if (err == nil) != ok || !slices.Equal(got, want) {
					t.Fatalf("seed %d: take(%d, %v) = %v, %v; want %v, %v", seed, ask, multiple, got, err, want, ok)
				}
				if r.IntN(4) > 0 {
					held = nil
				}
			default:
				slices.SortFunc(held, func(a, b delivery) int { return int(a.tag) - int(b.tag) })
				for _, d := range held {
					model = append(model, d.tag)
				}
				slices.Sort(model)
				u.restore(held)
				held = nil
			}
			if u.count != len(model) {
				t.Fatalf("seed %d: count %d, want %d", seed, u.count, len(model))
			}
		}
		var rest []uint64
		u.takeAll(func(d delivery) { rest = append(rest, d.tag) })
		if !slices.Equal(rest, model) {
			t.Fatalf("seed %d: left %v, want %v", seed, rest, model)
		}
	}
}

// takeFromList is what take means, said plainly.
func takeFromList(list *[]uint64, tag uint64, multiple bool) (taken []uint64, ok bool) {
	if tag == 0 && multiple {
		taken, *list = *list, nil
		return taken, true
	}
	at := slices.Index(*list, tag)
	if at < 0 {
		return nil, false
	}
	if !multiple {
		*list = slices.Delete(slices.Clone(*list), at, at+1)
		return []uint64{tag}, true
	}
	taken, *list = slices.Clone((*list)[:at+1]), slices.Clone((*list)[at+1:])
	return taken, true
}

func TestUnknownDeliveryTagTakesNothing(t *testing.T) {
	var u unacked
	u.push(1, 1, &consumer{}, 0)
	err := u.take(2, true, func(delivery) { t.Error("taken") })
	want := &amqp.Error{Code: amqp.PreconditionFailed, Reason: "unknown delivery tag 2"}
	if e, ok := err.(*amqp.Error); !ok || *e != *want {
		t.Fatalf("got %v, want %v", err, want)
	}
	if u.count != 1 {
		t.Fatalf("count %d, want 1", u.count)
	}
}

// TestOneUnackedDeliveryDoesNotKeepTheOthers: memory goes with what is outstanding, not with what came after the
// oldest of it.
func TestOneUnackedDeliveryDoesNotKeepTheOthers(t *testing.T) {
	var u unacked
	k := &consumer{}
	u.push(1, 1, k, 0)
	for tag := uint64(2); tag < 100_000; tag++ {
		u.push(tag, tag, k, 0)
		if err := u.take(tag, false, func(delivery) {}); err != nil {
			t.Fatal(err)
		}
	}
	if n := cap(u.entries); n > 1000 {
		t.Fatalf("room for %d deliveries while one is outstanding", n)
	}
	if err := u.take(1, false, func(delivery) {}); err != nil {
		t.Fatal(err)
	}
}

// TestWindowWithGapsStaysSmall: a window of a thousand that is acknowledged in random order.
func TestWindowWithGapsStaysSmall(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var u unacked
	k := &consumer{}
	var window []uint64
	for tag := uint64(1); tag < 100_000; tag++ {
		u.push(tag, tag, k, 0)
		if window = append(window, tag); len(window) < 1000 {
			continue
		}
		at := 1 + r.IntN(len(window)-1) // never the oldest
		if err := u.take(window[at], false, func(delivery) {}); err != nil {
			t.Fatal(err)
		}
		window[at] = window[len(window)-1]
		window = window[:len(window)-1]
	}
	if n := cap(u.entries); n > 8000 {
		t.Fatalf("room for %d deliveries while 999 are outstanding", n)
	}
}

// TestRollbackOfManyAcksIsLinear: each ack of a transaction is a part of its own.
func TestRollbackOfManyAcksIsLinear(t *testing.T) {
	const n = 100_000
	var u unacked
	k := &consumer{}
	tx := new(transaction)
	for tag := uint64(1); tag <= n; tag++ {
		u.push(tag, tag, k, 0)
	}
	for tag := uint64(n); tag > 0; tag-- {
		part := txPart{}
		if err := u.take(tag, false, func(d delivery) { part.deliveries = append(part.deliveries, d) }); err != nil {
			t.Fatal(err)
		}
		tx.settled = append(tx.settled, part)
	}
	start := time.Now()
	tx.restore(&u)
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("took %v", d)
	}
	if u.count != n || u.find(1) != 0 || u.find(n) != n-1 {
		t.Fatalf("%d deliveries restored, want %d in order", u.count, n)
	}
}

// TestARollbackWithoutAcknowledgementsIsFree, however much is outstanding.
func TestARollbackWithoutAcknowledgementsIsFree(t *testing.T) {
	var u unacked
	for tag := range uint64(1000) {
		u.push(1+tag, tag, &consumer{}, 0)
	}
	if n := testing.AllocsPerRun(10, func() { u.restore(nil) }); n > 0 || u.count != 1000 {
		t.Errorf("%v allocations, and %d are outstanding", n, u.count)
	}
}
