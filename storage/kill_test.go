package storage_test

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/warren-mq/warren/storage"
)

var kills = flag.Int("kills", 3, "processes to kill in TestAKilledProcessLosesNothingConfirmed")

// killFolder, in the environment, makes the test binary the process that is killed.
const killFolder = "WARREN_STORAGE_KILL_FOLDER"

// TestAKilledProcessLosesNothingConfirmed kills a process that publishes and acks, at random moments, and compares
// what its store holds with what the process had said was durable.
func TestAKilledProcessLosesNothingConfirmed(t *testing.T) {
	if dir := os.Getenv(killFolder); dir != "" {
		runUntilKilled(t, dir)
		return
	}
	dir := t.TempDir()
	confirmed, acked := uint64(0), uint64(0) // every record below is durable; every ack below is
	for round := range *kills {
		c, a := killOne(t, dir)
		if c > 0 {
			confirmed, acked = c, a
		}
		s := openStore(t, dir, small)
		logs := s.Logs()
		if len(logs) != 1 {
			if confirmed > 0 {
				t.Fatalf("round %d: %d logs", round, len(logs))
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		l := logs[0]
		// If all was acked, the numbers of those that never needed to be written may come again.
		first, next, _ := span(s, l)
		if first < min(acked, next) || next < confirmed && acked < confirmed {
			t.Fatalf("round %d: holds %d to %d; acked up to %d, confirmed up to %d", round, first, next, acked, confirmed)
		}
		for seq := first; seq < next; seq++ {
			record, ok := read(t, s, l, seq)
			if !ok || !goodRecord(record, seq) {
				t.Fatalf("round %d: record %d is missing or other (%d bytes)", round, seq, len(record))
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if confirmed == 0 || acked == 0 {
		t.Fatal("nothing was confirmed: the test shows nothing")
	}
	t.Logf("%d confirmed, %d acked", confirmed, acked)
}

// killOne starts a process, kills it after a while, and returns what it last said.
func killOne(t *testing.T, dir string) (confirmed, acked uint64) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestAKilledProcessLosesNothingConfirmed$")
	cmd.Env = append(os.Environ(), killFolder+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(time.Duration(100+rand.IntN(900))*time.Millisecond, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var c, a uint64
		if n, _ := fmt.Sscanf(lines.Text(), "durable %d %d\n", &c, &a); n == 2 {
			confirmed, acked = c, a
		} else if lines.Text() != "" {
			t.Logf("process: %s", lines.Text())
		}
	}
	_ = cmd.Wait() // killed
	return confirmed, acked
}

func goodRecord(record []byte, seq uint64) bool {
	if len(record) != recordSize(seq) || binary.LittleEndian.Uint64(record) != seq {
		return false
	}
	for _, b := range record[8:] {
		if b != byte(seq) {
			return false
		}
	}
	return true
}

func recordSize(seq uint64) int {
	if seq%1000 == 0 {
		return 300_000
	}
	return 8 + int(seq*7919%600)
}

func runUntilKilled(t *testing.T, dir string) {
	s, err := storage.Open(dir, small)
	if err != nil {
		fmt.Printf("open: %v\n", err)
		return
	}
	var l *storage.Log
	if logs := s.Logs(); len(logs) > 0 {
		l = logs[0]
	} else {
		do(t, s, func() { l = s.CreateLog([]byte("q"), true) })
	}
	durable := make(chan struct{}, 1)
	s.Notify(func(storage.Commit) {
		select {
		case durable <- struct{}{}:
		default:
		}
	})
	for round := uint64(0); ; round++ {
		commit := s.Enter()
		for range 100 {
			_, record := l.Append(recordSize(l.Next()), true)
			seq := l.Next() - 1
			for i := range record {
				record[i] = byte(seq)
			}
			binary.LittleEndian.PutUint64(record, seq)
		}
		if round%50 < 25 { // a backlog, which then goes
			l.GoneRange(0, l.First()+20)
		} else {
			l.GoneRange(0, l.First()+180)
		}
		confirmed, acked := l.Next(), l.First()
		s.Leave()
		s.Want(commit)
		for s.Durable() < commit {
			select {
			case <-durable:
			case <-s.Failed():
				fmt.Printf("failed: %v\n", s.Err())
				return
			}
		}
		fmt.Printf("durable %d %d\n", confirmed, acked)
	}
}
