package crash_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// withoutSync, in the environment, makes this program run another one, named by its arguments, for which fsync and its
// like succeed and do nothing.
const withoutSync = "WARREN_CRASH_WITHOUT_SYNC"

// unsynced is a broker on a disk that lies about syncing.
func unsynced(kind brokerKind) brokerKind {
	return brokerKind{kind.name + " without sync", func(dir string) *exec.Cmd {
		target := kind.command(dir)
		cmd := exec.Command(os.Args[0], target.Args...)
		if target.Env == nil {
			target.Env = os.Environ()
		}
		cmd.Env = append(target.Env, withoutSync+"=1")
		return cmd
	}}
}

// execWithoutSync replaces this process by the program in args. A filter of system calls, which the program inherits,
// answers those that sync with success.
func execWithoutSync(args []string) error {
	syncs := []uint32{unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_MSYNC, unix.SYS_SYNC, unix.SYS_SYNCFS, unix.SYS_SYNC_FILE_RANGE}
	const numberOffset = 0 // of the system call's number in struct seccomp_data
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: numberOffset}}
	for i, number := range syncs {
		filter = append(filter, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: number, Jt: uint8(len(syncs) - i)})
	}
	filter = append(filter,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO}, // error 0: success
	)
	runtime.LockOSThread() // the filter is this thread's, and survives exec
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		return fmt.Errorf("filter system calls: %w", err)
	}
	if err := os.Unsetenv(withoutSync); err != nil {
		return err
	}
	return syscall.Exec(args[0], args, os.Environ())
}
