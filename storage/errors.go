package storage

import (
	"errors"
	"fmt"
)

// ErrClosed is what a store answers after Close.
var ErrClosed = errors.New("the store is closed")

// LockedError says that another process uses the folder.
type LockedError struct {
	Dir string
	PID int // 0 if it could not be read
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("data folder %s is in use by process %d", e.Dir, e.PID)
}

// CorruptError names a file that holds something other than what was written, and promised, before.
type CorruptError struct {
	File   string
	Offset int64
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("corrupt file %s at offset %d: %s", e.File, e.Offset, e.Reason)
}

// FormatError says that the folder was written in a format that this version does not read.
type FormatError struct{ Found uint32 }

func (e *FormatError) Error() string {
	return fmt.Sprintf("data folder has format version %d; this version of Warren reads them up to %d", e.Found, formatRewritten)
}
