//go:build !linux

package main

import "errors"

var errUnknown = errors.New("unknown on this system")

// memoryLimit is known on Linux only; elsewhere --memory-high-watermark is to be given as a size.
func memoryLimit() (uint64, error) { return 0, errUnknown }

// diskFree is known on Linux only.
func diskFree(string) (uint64, error) { return 0, errUnknown }
