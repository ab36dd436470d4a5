package nullbroker

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/warren-mq/warren/integration_test/bench/internal/amqp"
)

// serveJournal starts a broker with that journal.
func serveJournal(t *testing.T, j *journal) (addr string) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		j.run()
		close(ended)
	}()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := New()
	b.journal = j
	go b.Serve(l)
	t.Cleanup(func() {
		l.Close()
		j.close()
		<-ended
	})
	return l.Addr().String()
}

// publisher is a connection with confirms, to a queue without consumers.
func publisher(t *testing.T, addr string) *amqp.Conn {
	t.Helper()
	c := dial(t, addr)
	if _, err := c.DeclareQueue(channel, amqp.Queue{Name: "q"}); err != nil {
		t.Fatal(err)
	}
	if err := c.SelectConfirms(channel); err != nil {
		t.Fatal(err)
	}
	return c
}

// publish writes messages and returns the bytes that they are.
func publish(t *testing.T, c *amqp.Conn, bodies ...string) []byte {
	t.Helper()
	var w amqp.Writer
	for _, body := range bodies {
		w.Publish(channel, "", "q", true, []byte(body), c.FrameMax)
	}
	if err := c.Write(w.Buf); err != nil {
		t.Fatal(err)
	}
	return w.Buf
}

// confirmed reads until so many messages are confirmed or the connection ends,
// and returns how many were.
func confirmed(t *testing.T, c *amqp.Conn, want uint64) uint64 {
	t.Helper()
	seen := amqp.NewConfirms(10)
	for seen.Count < want && c.Fill() == nil {
		n, err := seen.Feed(c.Buffered())
		if err != nil {
			t.Fatal(err)
		}
		c.Discard(n)
	}
	return seen.Count
}

func TestConfirmedMessageIsInTheJournal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal")
	j, err := openJournal(file)
	if err != nil {
		t.Fatal(err)
	}
	c := publisher(t, serveJournal(t, j))
	frames := publish(t, c, "first", "second")
	if n := confirmed(t, c, 2); n != 2 {
		t.Fatalf("%d messages are confirmed", n)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasSuffix(got, frames) {
		t.Errorf("the file holds %q, which does not end with %q", got, frames)
	}
}

func TestNothingIsConfirmedThatIsNotSynced(t *testing.T) {
	j, err := openJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	j.sync = func() error { return errors.New("no such disk") }
	c := publisher(t, serveJournal(t, j))
	publish(t, c, "lost")
	if n := confirmed(t, c, 1); n > 0 { // it returns when the broker cuts the connection
		t.Errorf("%d messages are confirmed", n)
	}
}

// heldJournal is a journal that nothing is connected to. A sync tells the size
// of the file, and goes on when the test says so.
func heldJournal(t *testing.T) (j *journal, syncs chan int64, goOn chan struct{}) {
	t.Helper()
	j, err := openJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	syncs, goOn = make(chan int64), make(chan struct{})
	j.sync = func() error {
		s, err := j.file.Stat()
		if err != nil {
			return err
		}
		syncs <- s.Size()
		<-goOn
		return nil
	}
	ended := make(chan struct{})
	go func() {
		j.run()
		close(ended)
	}()
	t.Cleanup(func() {
		j.close()
		<-ended
	})
	return j, syncs, goOn
}

func TestOneSyncIsForAllThatGatheredDuringTheLast(t *testing.T) {
	j, syncs, goOn := heldJournal(t)
	j.add([]byte("alone"), due{})
	if size := <-syncs; size != 5 {
		t.Fatalf("the first sync is for %d bytes", size)
	}
	for range 3 {
		j.add([]byte("more"), due{})
	}
	goOn <- struct{}{}
	if size := <-syncs; size != 5+3*4 {
		t.Errorf("the second sync is for a file of %d bytes", size)
	}
	goOn <- struct{}{}
}

func TestJournalStartsAnewWhenItIsLong(t *testing.T) {
	j, syncs, goOn := heldJournal(t)
	j.most = 8
	for _, want := range []int64{5, 10, 5} {
		j.add([]byte("bytes"), due{})
		if size := <-syncs; size != want {
			t.Errorf("the file has %d bytes instead of %d", size, want)
		}
		goOn <- struct{}{}
	}
}
