package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMemoryLimitIsTheLeastOfMachineAndControlGroups(t *testing.T) {
	const meminfo = "MemTotal:       8388608 kB\nMemFree:  1 kB\n" // 8 GiB
	for name, c := range map[string]struct {
		files map[string]string
		want  uint64
	}{
		"no groups": {map[string]string{}, 8 << 30},
		"version 2": {map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "1073741824\n", "sys/fs/cgroup/a/memory.max": "max\n",
		}, 1 << 30},
		"version 2, set on a parent": {map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": "2147483648\n",
		}, 2 << 30},
		"version 2, seen from within": {map[string]string{
			"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "536870912\n",
		}, 512 << 20},
		"version 1": {map[string]string{
			"proc/self/cgroup": "7:cpu,memory:/docker/x\n0::/\n",
			"sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes": "268435456\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":          "9223372036854771712\n",
		}, 256 << 20},
		"more than the machine has": {map[string]string{
			"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "99999999999999\n",
		}, 8 << 30},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			c.files["proc/meminfo"] = meminfo
			for path, content := range c.files {
				path = filepath.Join(root, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := memoryLimitUnder(root); err != nil || got != c.want {
				t.Errorf("%d, %v instead of %d", got, err, c.want)
			}
		})
	}
}

func TestThisMachineHasMemoryAndDisk(t *testing.T) {
	if n, err := memoryLimit(); err != nil || n < 64<<20 {
		t.Errorf("memory: %d, %v", n, err)
	}
	if n, err := diskFree(t.TempDir()); err != nil || n == 0 {
		t.Errorf("disk: %d, %v", n, err)
	}
	if _, err := diskFree("/nonexistent/folder"); err == nil {
		t.Error("a missing folder has free space")
	}
}
