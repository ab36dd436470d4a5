package server

import (
	"math/rand/v2"
	"testing"
)

// TestAgesAreNeverTooHighAndLittleTooLow compares with a time beside each delivery.
func TestAgesAreNeverTooHighAndLittleTooLow(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	var u unacked
	k := &consumer{}
	made := map[uint64]int64{}
	now, tag, oldest := int64(1_000_000), uint64(0), uint64(1)
	for range 200_000 {
		now += r.Int64N(700)
		switch r.IntN(4) {
		case 0, 1:
			tag++
			made[tag] = now
			u.push(tag, tag, k, now)
		case 2:
			if oldest <= tag && u.count > 0 {
				upTo := min(oldest+uint64(r.IntN(4)), tag)
				if err := u.take(upTo, true, func(delivery) {}); err != nil {
					t.Fatal(err)
				}
				oldest = upTo + 1
			}
		case 3:
			if u.count == 0 {
				continue
			}
			at := u.ages.since(u.entries[u.head].tag, now)
			if want := made[u.entries[u.head].tag]; at < want || at > want+ageStep {
				t.Fatalf("seed %d: delivery %d was made at %d, told as %d", seed, u.entries[u.head].tag, want, at)
			}
		}
	}
}

func TestAgesKeepALimitedNumberOfMarks(t *testing.T) {
	var u unacked
	k := &consumer{}
	for tag := range uint64(10 * maxAgeMarks) {
		u.push(tag+1, tag, k, int64(tag)*ageStep)
	}
	if n := len(u.ages.marks); n > maxAgeMarks {
		t.Errorf("%d marks", n)
	}
	if at := u.ages.since(1, 10*maxAgeMarks*ageStep); at != 0 {
		t.Errorf("the first was made at 0, told as %d", at)
	}
}

// TestWhatATransactionGivesBackHasAnAge: its mark may be gone, so it starts anew.
func TestWhatATransactionGivesBackHasAnAge(t *testing.T) {
	var u unacked
	k := &consumer{}
	u.push(1, 1, k, 5000)
	var taken []delivery
	u.takeAll(func(d delivery) { taken = append(taken, d) })
	u.restore(taken)
	if at := u.ages.since(1, 9000); at != 9000 {
		t.Errorf("told as %d", at)
	}
	if at := u.ages.since(1, 20_000); at != 9000 {
		t.Errorf("told as %d later", at)
	}
}
