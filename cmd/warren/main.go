package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/rs/zerolog"
)

func main() {
	// Room for two: the first signal asks for an orderly stop, the second for a stop at once.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	signal.Ignore(syscall.SIGHUP) // as RabbitMQ: closing the terminal of a broker does not stop it
	zerolog.TimeFieldFormat = timeFormat
	p := process{stdout: os.Stdout, stderr: os.Stderr, signals: signals}
	os.Exit(p.run(os.Args))
}
