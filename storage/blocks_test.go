package storage

import (
	"bytes"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestBlocksAreWrittenPastThePageCache: memory and places in the file are aligned as direct writes want it, whatever the
// sizes of the groups. A write that is not would be taken, but through the page cache.
func TestBlocksAreWrittenPastThePageCache(t *testing.T) {
	f, err := osFileSystem{}.open(filepath.Join(t.TempDir(), "file"), true)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.direct()
	if !isDirect(t, f) {
		t.Skip("the file system has no direct writes")
	}
	var buf groupBuffer
	var want, head []byte
	for n := 1; n < 1<<20; n = n*5 + 3 {
		group := append(buf.room(len(head), n), bytes.Repeat([]byte{byte(n)}, n)...)
		blocks := buf.blocks(head, group)
		if _, err := f.WriteAt(blocks, int64(len(want)-len(head))); err != nil {
			t.Fatal(err)
		}
		want = append(want, group...)
		head = append(head[:0], want[len(want)&^(blockBytes-1):]...)
	}
	if !isDirect(t, f) {
		t.Error("a write was not aligned")
	}
	got := make([]byte, len(want))
	plain, err := osFileSystem{}.open(f.(osFile).Name(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if _, err := plain.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
		t.Errorf("other bytes came back (%v)", err)
	}
}

func isDirect(t *testing.T, f file) bool {
	t.Helper()
	flags, err := unix.FcntlInt(f.(osFile).Fd(), unix.F_GETFL, 0)
	if err != nil {
		t.Fatal(err)
	}
	return flags&unix.O_DIRECT != 0
}

// TestAGroupThatLiesElsewhereIsMoved: its place was chosen before it was known that it begins a new segment, or its size
// was.
func TestAGroupThatLiesElsewhereIsMoved(t *testing.T) {
	var buf groupBuffer
	content := bytes.Repeat([]byte("group"), 40_000)
	for _, lead := range []int{0, 8, blockBytes - 8} {
		group := append(buf.room(lead, 100), content...)
		for _, head := range [][]byte{nil, []byte("headhead")} {
			blocks := buf.blocks(head, group)
			group = blocks[len(head) : len(head)+len(content)]
			if !bytes.Equal(blocks[:len(head)], head) || !bytes.Equal(group, content) || len(blocks)%blockBytes != 0 {
				t.Fatalf("from %d to %d: other bytes", lead, len(head))
			}
			if rest := blocks[len(head)+len(content):]; len(bytes.Trim(rest, "\x00")) > 0 {
				t.Fatalf("from %d to %d: %d bytes behind the group are not zero", lead, len(head), len(rest))
			}
		}
	}
}
