package main

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
)

// memoryLimit is how much memory this process can have: that of the machine, or less in a container.
func memoryLimit() (uint64, error) { return memoryLimitUnder("/") }

// memoryLimitUnder reads the kernel's files below root, which tests replace.
func memoryLimitUnder(root string) (uint64, error) {
	meminfo, err := os.ReadFile(path.Join(root, "proc/meminfo"))
	if err != nil {
		return 0, err
	}
	var total uint64
	for line := range strings.Lines(string(meminfo)) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			kib, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("/proc/meminfo: %w", err)
			}
			total = kib << 10
		}
	}
	if total == 0 {
		return 0, fmt.Errorf("/proc/meminfo has no MemTotal")
	}
	limit := total
	for _, file := range cgroupFiles(root) {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // that hierarchy is not there
		}
		// "max" in version 2, and a number near 2^63 in version 1, mean no limit.
		if n, err := strconv.ParseUint(strings.TrimSpace(string(content)), 10, 64); err == nil && n > 0 {
			limit = min(limit, n)
		}
	}
	return limit, nil
}

// cgroupFiles lists where a limit may be written: for this process's group and each group above it. In a container the
// group often looks like the root.
func cgroupFiles(root string) (files []string) {
	membership, err := os.ReadFile(path.Join(root, "proc/self/cgroup"))
	if err != nil {
		return nil // a kernel without control groups
	}
	for line := range strings.Lines(string(membership)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3) // hierarchy:controllers:group
		if len(parts) != 3 {
			continue
		}
		var top, name string
		switch {
		case parts[0] == "0":
			top, name = "sys/fs/cgroup", "memory.max"
		case strings.Contains(","+parts[1]+",", ",memory,"):
			top, name = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		for group := path.Clean("/" + parts[2]); ; group = path.Dir(group) {
			files = append(files, path.Join(root, top, group, name))
			if group == "/" {
				break
			}
		}
	}
	return files
}

// diskFree is the space that is left in a folder for a process without special rights, in bytes.
func diskFree(dir string) (uint64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, os.NewSyscallError("statfs", err)
	}
	return fs.Bavail * uint64(cmp.Or(fs.Frsize, fs.Bsize)), nil
}
