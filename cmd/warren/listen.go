package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// listen opens a listener; flag is what to change if that fails.
func listen(addr, flag string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err == nil {
		return l, nil
	}
	advice := ""
	if errors.Is(err, syscall.EADDRINUSE) {
		advice = " by another program"
	}
	return nil, fmt.Errorf("cannot listen on %s: %w%s; choose another address with --%s", addr, reason(err), advice, flag)
}

// reason is a network error without the operation and the addresses, which the caller names in fewer words.
func reason(err error) error {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[*os.SyscallError](err); ok {
		err = e.Err
	}
	return err
}

// listenAll opens all listeners or none.
func listenAll(addrs []string, flag string) (all []net.Listener, err error) {
	for _, addr := range addrs {
		l, err := listen(addr, flag)
		if err != nil {
			closeAll(all)
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

// texts are the addresses that were really opened, with the ports that the system chose for port 0.
func texts(listeners []net.Listener) (addrs []string) {
	for _, l := range listeners {
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}
