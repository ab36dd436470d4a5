package crash_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestADiskThatTurnsReadOnlyEndsTheBrokerWithItsPromisesKept does under publishers what the kernel does when ext4 finds
// an error and errors=remount-ro: its journal is aborted, and whatever is written from then on fails with EROFS.
func TestADiskThatTurnsReadOnlyEndsTheBrokerWithItsPromisesKept(t *testing.T) {
	mount, d := mountExt4(t, needsDisks(t))
	kind, dir := brokerOnDisk(t), filepath.Join(mount, "data")
	p := startReady(t, kind, dir)
	f, err := startFiller(p.amqp, "q")
	must(t, err)
	must(t, f.awaitConfirmed(500))
	if _, err := command("mount", "-o", "remount,abort,errors=remount-ro", mount); err != nil {
		t.Skip(err)
	}
	awaitFailure(t, p)
	confirmed := f.end()

	p, err = startProcess(kind, dir)
	must(t, err)
	t.Cleanup(func() { p.kill() })
	select {
	case <-p.exited:
		if log := p.log(); p.cmd.ProcessState.ExitCode() == 0 || !strings.Contains(log, "read-only file system") {
			t.Errorf("started while the disk is read-only, and does not say so:\n%s", log)
		}
	case <-p.ready:
		t.Error("the broker has started on a disk that cannot be written")
		p.kill()
	case <-deadline():
		t.Errorf("neither starts nor ends on a disk that cannot be written:\n%s", p.log())
		p.kill()
	}

	// An aborted file system is made writable by mounting it anew, which replays its journal.
	must(t, d.detach())
	must(t, d.attach())
	expectConfirmed(t, startReady(t, kind, dir), f.queue, confirmed)
}
