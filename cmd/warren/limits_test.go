package main

import (
	"bytes"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rs/zerolog"
)

func TestDiskFreeLimitIsNeverBelowWhatTheStoreNeeds(t *testing.T) {
	const need, memory = 500 << 20, 8 << 30
	for word, c := range map[string]struct {
		limit uint64
		warns string // how the setting is named; "" for no warning
	}{
		"":       {need, ""},
		"auto":   {need, ""},
		"2GiB":   {2 << 30, ""},
		"0.5":    {4 << 30, ""},
		"500MiB": {need, ""},
		"50MiB":  {need, "disk-free-limit of 50.0 MiB is raised to 500.0 MiB,"},
		"none":   {need, "disk-free-limit of 0 B is raised to 500.0 MiB,"},
		"0.001":  {need, "disk-free-limit of 8.2 MiB is raised to 500.0 MiB,"},
	} {
		t.Run(word, func(t *testing.T) {
			var args []string
			if word != "" {
				args = []string{"--disk-free-limit", word}
			}
			set, err := resolved(t, args...)
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			limits := set.config.resourceLimits(memory, need, zerolog.New(&log))
			if limits.diskFree != c.limit || limits.memory == 0 {
				t.Errorf("%+v, want a disk limit of %d", limits, c.limit)
			}
			if said := log.String(); (c.warns == "") != (said == "") || !strings.Contains(said, c.warns) {
				t.Errorf("the log says %q, want %q", said, c.warns)
			}
		})
	}
}

func TestALowDiskFreeLimitIsRaisedWithAWarning(t *testing.T) {
	r := runServer(t, "--disk-free-limit", "1MB")
	raised := slices.ContainsFunc(r.said, func(line map[string]any) bool {
		to, _ := line["raised_to"].(float64)
		return line["level"] == "warn" && line["disk_free_limit"] == 1e6 && to > 1e6
	})
	if !raised {
		t.Errorf("no warning in %v", r.said)
	}
}

// TestAnIdleNewDataFolderIsSmall, also after a restart: below 64 MiB on the disk, as du counts.
func TestAnIdleNewDataFolderIsSmall(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	for range 2 {
		r := runServer(t, "--data-dir", dir)
		keep(t, r.amqp, 10)
		if n := diskUse(t, dir); n > 64<<20 {
			t.Errorf("the folder takes %d bytes", n)
		}
		r.stop()
		if n := diskUse(t, dir); n > 64<<20 {
			t.Errorf("stopped, the folder takes %d bytes", n)
		}
	}
}

// diskUse is what a folder takes on the disk, holes not counted.
func diskUse(t *testing.T, dir string) (n int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // removed meanwhile
		}
		if info, err := e.Info(); err == nil {
			n += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
