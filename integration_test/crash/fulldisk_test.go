package crash_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// smallDiskMB is a disk that fills within seconds.
const smallDiskMB = 384

// calm is how long a broker must stand what it does not like.
const calm = 3 * time.Second

// needsDisks skips where make crash is not what runs.
func needsDisks(t *testing.T) string {
	t.Helper()
	if *cuts == 0 {
		t.Skip("make crash runs it (-cuts=20)")
	}
	return t.TempDir()
}

func mountExt4(t *testing.T, folder string) (mount string, d *disk) {
	t.Helper()
	d, err := newDisk(folder, smallDiskMB)
	if err != nil {
		t.Skip(errors.Join(err, d.detach()))
	}
	t.Cleanup(func() {
		if err := d.detach(); err != nil {
			t.Error(err)
		}
	})
	return d.mount, d
}

func mountTmpfs(t *testing.T, folder string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount")
	}
	if _, err := command("mount", "-t", "tmpfs", "-o", "size=384m", "none", folder); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		if _, err := command("umount", folder); err != nil {
			t.Error(err)
		}
	})
	return folder
}

// ballast is a file that takes all the space there is.
func ballast(t *testing.T, mount string) (remove func()) {
	t.Helper()
	name := filepath.Join(mount, "ballast")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size >= 4<<10; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func freeMB(t *testing.T, mount string) int64 {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(mount, &st); err != nil {
		t.Fatal(err)
	}
	return int64(st.Bavail) * st.Bsize >> 20
}

func startReady(t *testing.T, kind brokerKind, dir string) *process {
	t.Helper()
	p, err := startProcess(kind, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill() })
	if err := p.awaitReady(); err != nil {
		t.Fatal(err)
	}
	return p
}

// stands sees that the broker lives for a while.
func (p *process) stands(t *testing.T, what string) {
	t.Helper()
	select {
	case <-p.exited:
		t.Fatalf("%s: the broker ended:\n%s", what, p.log())
	case <-time.After(calm):
	}
}

func brokerOnDisk(t *testing.T) brokerKind {
	t.Helper()
	if *program != "" {
		return built(*program)
	}
	path, err := buildBroker(t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	return built(path)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// missing returns how many of the confirmed messages are not among ids.
func missing(confirmed map[string]bool, ids []string) (n int) {
	got := map[string]bool{}
	for _, id := range ids {
		got[id] = true
	}
	for id := range confirmed {
		if !got[id] {
			n++
		}
	}
	return n
}

// TestAFullDiskStopsPublishersAndNothingElse fills a small disk: first by publishing, then, while publishers are at work,
// from outside. Badger writes through mappings, so a broker that went too far would end with a SIGBUS.
func TestAFullDiskStopsPublishersAndNothingElse(t *testing.T) {
	folder := needsDisks(t)
	for name, mount := range map[string]func(t *testing.T) string{
		"ext4":  func(t *testing.T) string { m, _ := mountExt4(t, folder); return m },
		"tmpfs": func(t *testing.T) string { return mountTmpfs(t, t.TempDir()) },
	} {
		t.Run(name, func(t *testing.T) { fillDisk(t, mount(t)) })
	}
}

func fillDisk(t *testing.T, mount string) {
	kind, dir := brokerOnDisk(t), filepath.Join(mount, "data")
	p := startReady(t, kind, dir)

	f, err := startFiller(p.amqp, "by publishing ")
	must(t, err)
	must(t, f.await("publishers are stopped", f.held))
	left := freeMB(t, mount)
	t.Logf("publishers are stopped with %d MiB left, %d messages confirmed", left, f.confirmed.Load())
	if left < 20 {
		t.Error("that is too late")
	}
	remove := ballast(t, mount)
	p.stands(t, "publishers held, and the rest of the disk taken")
	ids, err := take(p.amqp, f.queue, 50)
	must(t, err)
	if len(ids) != 50 {
		t.Fatalf("only %d messages could be taken from a full disk", len(ids))
	}
	remove()
	for limit := deadline(); ; {
		more, err := take(p.amqp, f.queue, 1000)
		must(t, err)
		if ids = append(ids, more...); isClosed(f.released) {
			break
		}
		select {
		case <-limit:
			t.Fatalf("publishers do not go on, with %d MiB free:\n%s", freeMB(t, mount), p.log())
		case <-time.After(10 * time.Millisecond):
		}
	}
	must(t, f.await("the last messages are sent", f.stopped))
	must(t, f.awaitConfirmed(f.sent.Load()))
	t.Logf("publishers go on with %d MiB free", freeMB(t, mount))
	confirmed := f.end()
	last, err := take(p.amqp, f.queue, math.MaxInt)
	must(t, err)
	if n := missing(confirmed, append(ids, last...)); n > 0 {
		t.Errorf("%d of %d confirmed messages are missing", n, len(confirmed))
	}

	f, err = startFiller(p.amqp, "from outside ")
	must(t, err)
	must(t, f.awaitConfirmed(200))
	remove = ballast(t, mount)
	p.stands(t, "the disk was filled while publishers were at work")
	p.kill()
	confirmed = f.end()
	t.Logf("%d confirmed before the disk was full", len(confirmed))
	if p, err = startProcess(kind, dir); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ready:
		p.stands(t, "started on a full disk")
		p.kill()
	case <-p.exited:
	case <-deadline():
		t.Errorf("neither starts nor ends on a full disk:\n%s", p.log())
	}
	if log := p.log(); !strings.Contains(log, "is full") {
		t.Errorf("started on a full disk, and does not say so:\n%s", log)
	}
	p.kill()
	remove()
	p = startReady(t, kind, dir)
	ids, err = take(p.amqp, f.queue, math.MaxInt)
	must(t, err)
	if n := missing(confirmed, ids); n > 0 {
		t.Errorf("%d of %d confirmed messages are missing", n, len(confirmed))
	}
	must(t, p.stop())
}

// TestADiskThatFailsEndsTheBrokerWithItsPromisesKept shuts the file system down under publishers, as its kernel code does
// when it finds the device broken: every write and every sync fails from then on.
func TestADiskThatFailsEndsTheBrokerWithItsPromisesKept(t *testing.T) {
	mount, d := mountExt4(t, needsDisks(t))
	kind, dir := brokerOnDisk(t), filepath.Join(mount, "data")
	p := startReady(t, kind, dir)
	f, err := startFiller(p.amqp, "q")
	must(t, err)
	must(t, f.awaitConfirmed(500))
	must(t, shutDown(mount))
	awaitFailure(t, p)
	confirmed := f.end()
	must(t, d.detach())
	must(t, d.attach())
	expectConfirmed(t, startReady(t, kind, dir), f.queue, confirmed)
}

// awaitFailure waits for a broker to end because its disk fails, and to say so.
func awaitFailure(t *testing.T, p *process) {
	t.Helper()
	select {
	case <-p.exited:
	case <-deadline():
		t.Fatalf("the broker goes on:\n%s", p.log())
	}
	code, log := p.cmd.ProcessState.ExitCode(), p.log()
	if at := strings.LastIndex(log, "has failed"); code == 0 || at < 0 {
		t.Errorf("exit code %d; the log:\n%s", code, log)
	} else {
		t.Logf("exit code %d: %.300s", code, log[strings.LastIndex(log[:at], "\n")+1:])
	}
}

// expectConfirmed stops a broker once all confirmed messages were found in a queue.
func expectConfirmed(t *testing.T, p *process, queue string, confirmed map[string]bool) {
	t.Helper()
	ids, err := take(p.amqp, queue, math.MaxInt)
	must(t, err)
	t.Logf("%d confirmed, %d found", len(confirmed), len(ids))
	if n := missing(confirmed, ids); n > 0 {
		t.Errorf("%d of %d confirmed messages are missing", n, len(confirmed))
	}
	must(t, p.stop())
}

// shutDown is ioctl FS_IOC_SHUTDOWN, without writing the file system's journal first.
func shutDown(mount string) error {
	const fsIocShutdown, noLogFlush = 0x8004587d, uint32(2)
	f, err := os.Open(mount)
	if err != nil {
		return err
	}
	defer f.Close()
	flag := noLogFlush
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), fsIocShutdown, uintptr(unsafe.Pointer(&flag))); errno != 0 {
		return errno
	}
	return nil
}
