//go:build linux

package storage

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// mappedResident returns how many KiB of the value logs in dir are in this process's memory.
func mappedResident(t *testing.T, dir string) (kib int) {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	ours := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		n := 0
		switch {
		case strings.Contains(line, ".vlog"):
			ours = strings.Contains(line, dir)
		case strings.HasPrefix(line, "VmFlags"):
			ours = false
		case ours:
			if _, err := fmt.Sscanf(line, "Rss: %d kB", &n); err == nil {
				kib += n
			}
		}
	}
	return kib
}

// TestMappedPagesAreGivenBack: they count as the process's memory, which a backlog must not fill.
func TestMappedPagesAreGivenBack(t *testing.T) {
	dir := t.TempDir()
	s := openManual(t, dir, newFaultFS(rand.New(rand.NewPCG(1, 1))), Options{ValueLogBytes: 64 << 20})
	s.Enter()
	l := s.CreateLog(nil, true)
	for range 12_000 {
		_, record := l.Append(1000, true)
		record[0] = 1
	}
	s.Leave()
	s.commitPending()
	if _, err := s.move(func(*durableChunk) bool { return true }); err != nil {
		t.Fatal(err)
	}
	before := mappedResident(t, dir)
	if s.dropMapped(); before < 4<<10 || mappedResident(t, dir) > before/8 {
		t.Errorf("%d KiB of %d KiB are still in memory", mappedResident(t, dir), before)
	}
	h := &history{t: t, s: s}
	if record, ok := h.read(l, 0); !ok || record[0] != 1 {
		t.Error("nothing is left")
	}
}
