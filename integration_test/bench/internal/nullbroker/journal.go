package nullbroker

import (
	"log"
	"os"
	"sync"
	"syscall"
)

// journal is a plain file that everything is appended to which comes on
// connections with confirms: one write and one fdatasync for what has gathered
// on all of them while the last sync ran, and then the confirms.
//
// What gathers is bounded by the confirm windows of the publishers.
type journal struct {
	file *os.File
	sync func() error
	most int64 // bytes after which the file starts anew

	mu       sync.Mutex
	arrived  sync.Cond // something has gathered, or the journal is closed
	gathered []byte    // to be written
	due      []due     // to be confirmed once that is synced
	closed   bool
}

// due is a confirm of a channel's messages up to a tag.
type due struct {
	conn    *conn
	channel uint16
	tag     uint64
}

// journalBytes is how long the file gets before it is emptied, so that it does
// not fill the disk.
const journalBytes = 1 << 30

// openJournal makes the file, or empties it.
func openJournal(name string) (*journal, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{file: f, most: journalBytes}
	j.sync = func() error { return syscall.Fdatasync(int(f.Fd())) }
	j.arrived.L = &j.mu
	return j, nil
}

// add gathers a copy of what a connection has read. If the tag is not 0, the
// channel's messages up to there are complete with it, and can be confirmed
// once it is synced.
func (j *journal) add(p []byte, d due) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.gathered = append(j.gathered, p...)
	if d.tag > 0 {
		j.due = append(j.due, d)
	}
	j.arrived.Signal()
}

// run writes, syncs and confirms until the journal is closed. Once it has
// failed it confirms nothing, and cuts the connections that wait for it.
func (j *journal) run() {
	var group []byte
	var dues []due
	var size int64
	var failed error
	for {
		j.mu.Lock()
		for len(j.gathered) == 0 && !j.closed {
			j.arrived.Wait()
		}
		if j.closed {
			j.mu.Unlock()
			return
		}
		group, j.gathered = j.gathered, group[:0]
		dues, j.due = j.due, dues[:0]
		j.mu.Unlock()

		if failed == nil {
			if size, failed = j.write(group, size); failed != nil {
				log.Printf("null broker: %v", failed)
			}
		}
		for i, d := range dues {
			switch {
			case failed != nil:
				d.conn.sock.Close()
			case i+1 < len(dues) && dues[i+1].conn == d.conn && dues[i+1].channel == d.channel: // the next one covers it
			default:
				d.conn.ack(d.channel, d.tag)
			}
		}
	}
}

// write appends a group to the file, syncs it and returns the file's new size.
func (j *journal) write(group []byte, size int64) (int64, error) {
	if size >= j.most {
		if err := j.file.Truncate(0); err != nil {
			return size, err
		}
		size = 0
	}
	n, err := j.file.Write(group)
	if err == nil {
		err = j.sync()
	}
	return size + int64(n), err
}

// close ends run.
func (j *journal) close() error {
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	j.arrived.Signal()
	return j.file.Close()
}
