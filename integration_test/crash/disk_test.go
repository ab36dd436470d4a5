package crash_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// disk is an ext4 file system in an image, whose power can be cut.
type disk struct {
	folder string // of everything
	image  string
	device string // the loop device, "" when detached
	mount  string // where it is mounted
	sizeMB int
}

// command runs a program and puts what it says into the error.
func command(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return strings.TrimSpace(string(out)), nil
}

// newDisk makes a disk and mounts it. An error says what this machine lacks.
func newDisk(folder string, sizeMB int) (*disk, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("needs root, for loop devices")
	}
	d := &disk{folder: folder, image: filepath.Join(folder, "image"), mount: filepath.Join(folder, "mount"), sizeMB: sizeMB}
	if err := os.Mkdir(d.mount, 0o700); err != nil {
		return nil, err
	}
	f, err := os.Create(d.image)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Truncate(int64(sizeMB)<<20), f.Close()); err != nil {
		return nil, err
	}
	// Nothing is left for the kernel to write later: the image must not change by itself.
	if _, err := command("mkfs.ext4", "-q", "-F", "-N", "4096", "-J", "size=16",
		"-E", "lazy_itable_init=0,lazy_journal_init=0", d.image); err != nil {
		return nil, err
	}
	return d, d.attach()
}

// attach mounts the image. Direct I/O makes the image hold what the disk was given and nothing else. The long commit
// interval keeps the kernel from writing what nobody has synced.
func (d *disk) attach() (err error) {
	if d.device, err = command("losetup", "--find", "--show", "--direct-io=on", d.image); err != nil {
		return err
	}
	_, err = command("mount", "-t", "ext4", "-o", "commit=300,noatime", d.device, d.mount)
	return err
}

func (d *disk) detach() error {
	if d == nil || d.device == "" {
		return nil
	}
	_, err := command("umount", d.mount)
	_, err2 := command("losetup", "--detach", d.device)
	d.device = ""
	return errors.Join(err, err2)
}

// counters are what the device has been given so far, and what is on the way.
func (d *disk) counters() (written, inFlight string, err error) {
	b, err := os.ReadFile(filepath.Join("/sys/block", filepath.Base(d.device), "stat"))
	if err != nil {
		return "", "", err
	}
	f := strings.Fields(string(b))
	if len(f) < 9 {
		return "", "", fmt.Errorf("statistics of %s: %q", d.device, b)
	}
	return f[6], f[8], nil
}

// cut ends the process as if the power failed: what its disk had not been given by then is lost.
func (d *disk) cut(p *process) error {
	if err := p.freeze(); err != nil {
		return err
	}
	err := d.copyImage()
	dead := p.kill()
	if err != nil {
		return err
	}
	if dead {
		return fmt.Errorf("the broker ended by itself:\n%s", p.log())
	}
	if err := d.detach(); err != nil {
		return err
	}
	if err := os.Rename(d.image+".copy", d.image); err != nil {
		return err
	}
	return d.attach()
}

// copyImage copies the image beneath the mounted file system, at a moment when nothing is written to it.
func (d *disk) copyImage() error {
	for limit := deadline(); ; {
		before, busy, err := d.counters()
		if err != nil {
			return err
		}
		if busy == "0" {
			if _, err := command("cp", "--sparse=always", d.image, d.image+".copy"); err != nil {
				return err
			}
			after, busy, err := d.counters()
			if err != nil {
				return err
			}
			if after == before && busy == "0" {
				return nil
			}
		}
		select {
		case <-limit:
			return errors.New("the image is written all the time, though the broker is stopped")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// freeze stops all threads of the process. Those that are in a system call for the disk come to its end first.
func (p *process) freeze() error {
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return fmt.Errorf("%w:\n%s", err, p.log())
	}
	for limit := deadline(); ; {
		if p.stopped() {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("the broker ended by itself:\n%s", p.log())
		case <-limit:
			return errors.New("the broker does not stop for SIGSTOP")
		case <-time.After(time.Millisecond):
		}
	}
}

// stopped says whether every thread is in state T.
func (p *process) stopped() bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
	if err != nil || len(threads) == 0 {
		return false
	}
	for _, name := range threads {
		b, err := os.ReadFile(name)
		if err != nil {
			return false
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		if !strings.HasPrefix(rest, "T") {
			return false
		}
	}
	return true
}
