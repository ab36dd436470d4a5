//go:build pgo

package main

import (
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
)

// Built for "make pgo", the broker profiles itself into the file that CPU_PROFILE names, until SIGUSR1. Then it ends.
func init() {
	f, err := os.Create(os.Getenv("CPU_PROFILE"))
	if err != nil {
		panic(err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		panic(err)
	}
	enough := make(chan os.Signal, 1)
	signal.Notify(enough, syscall.SIGUSR1)
	go func() {
		<-enough
		pprof.StopCPUProfile()
		if err := f.Close(); err != nil {
			panic(err)
		}
		os.Exit(0)
	}()
}
