//go:build !unix

package server

import (
	"io"
	"syscall"
)

// newPatientReader: here a connection keeps its read buffer while it is idle.
func newPatientReader(*receivedCounter, syscall.RawConn) io.Reader { return nil }
