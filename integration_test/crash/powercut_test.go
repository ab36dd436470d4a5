package crash_test

import (
	"errors"
	"os"
	"testing"
	"time"
)

// diskMB leaves the store room for what it insists on having in reserve.
const diskMB = 3 << 10

// TestPowerCutBrokerKeepsItsPromises takes the power from the disk under a broker at work: what was not synced is lost.
func TestPowerCutBrokerKeepsItsPromises(t *testing.T) {
	if *cuts == 0 {
		t.Skip("make crash runs it (-cuts=20): it takes minutes")
	}
	r := &report{t: t}
	began := time.Now()
	runCuts(t, r, chooseSeed(t), *cuts, brokers(t), nil)
	t.Logf("%s in %s", r.figures(), time.Since(began).Round(time.Second))
	if r.count() > 0 {
		t.Errorf("%d violations", r.count())
	}
	if r.confirmed.Load() == 0 || r.recovered.Load() == 0 {
		t.Error("nothing was confirmed or found again: the test shows nothing")
	}
}

// TestPowerCutFindsABrokerThatDoesNotSync shows that the test above can fail: the same broker, for which syncing does
// nothing, must be found to lose what it has confirmed.
func TestPowerCutFindsABrokerThatDoesNotSync(t *testing.T) {
	if *cuts == 0 {
		t.Skip("make crash runs it (-cuts=20): it takes minutes")
	}
	r := &report{t: t, quiet: true}
	synced := brokers(t)
	var later []brokerKind // not the first one, or nothing at all might be found
	for _, k := range synced {
		later = append(later, unsynced(k))
	}
	runCuts(t, r, chooseSeed(t), *cuts, synced, later)
	if r.count() == 0 {
		t.Errorf("%d power cuts took nothing from a broker that does not sync", *cuts)
	}
	t.Logf("found after %d cuts: %.300s", r.rounds.Load()+r.earlyKills.Load(), r.first())
}

func runCuts(t *testing.T, r *report, seed uint64, cuts int, kinds, later []brokerKind) {
	folder, err := os.MkdirTemp("", "warren-cut-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	}()
	const cutsOfADisk = 10
	for n := 0; cuts > 0; n++ {
		d, err := newDisk(folder, diskMB)
		if err != nil {
			t.Skip(errors.Join(err, d.detach()))
		}
		w := newRun(t, r, seed+uint64(n), kinds, d.mount+"/data")
		w.end, w.later = d.cut, later
		w.killsOnly(false)
		part := min(cuts, cutsOfADisk)
		if err := w.rounds(part); err != nil {
			r.violation("%v", err)
		}
		if err := errors.Join(d.detach(), os.RemoveAll(d.image), os.Remove(d.mount)); err != nil {
			t.Fatal(err)
		}
		if r.count() > 0 {
			return
		}
		cuts -= part
	}
}
