package server

import "testing"

// unconfirmed is what the management API shows of the held disk's channel.
func (d *heldDisk) unconfirmed() int {
	for _, c := range d.server.broker.Connections() {
		for _, ch := range c.Channels() {
			return ch.Unconfirmed
		}
	}
	return -1
}

// TestUnconfirmedPublishesAreShown: those that wait for the disk, and those behind them.
func TestUnconfirmedPublishesAreShown(t *testing.T) {
	d := newHeldDisk(t, "")
	for _, key := range []string{"fsync", "fsync", "nowhere"} {
		d.publish("", key)
	}
	d.silent()
	if n := d.unconfirmed(); n != 3 {
		t.Errorf("%d publishes are shown as unconfirmed, want 3", n)
	}
	d.letGo()
	d.confirmed(1, 3)
	if n := d.unconfirmed(); n != 0 {
		t.Errorf("%d publishes are shown as unconfirmed after their confirms", n)
	}
}
