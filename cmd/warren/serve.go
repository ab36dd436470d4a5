package main

import (
	"context"
	"errors"
	"time"

	"github.com/urfave/cli/v2"
)

// serve runs the broker until a signal or the failure of a listener.
func (p *process) serve(ctx *cli.Context, set *settings) error {
	if err := noArguments(ctx); err != nil {
		return err
	}
	if err := set.resolve(); err != nil {
		return err
	}
	c := set.config
	log, err := newLogger(p.stderr, c)
	if err != nil {
		return err
	}
	for _, name := range set.strayVariables() {
		log.Warn().Msg("environment variable is not a setting: " + name)
	}
	began := time.Now()
	n, err := startNode(c, set.file, log)
	if err != nil {
		return err
	}
	// Testcontainers and scripts wait for the first three words, which are RabbitMQ's.
	event := log.Info().Str("version", version()).Strs("amqp", texts(n.amqp)).Str("data_dir", n.dataDir).
		Str("node", n.broker.NodeName())
	if n.http != nil {
		event.Str("management", n.http.Addr().String())
	}
	event.Dur("took_ms", time.Since(began)).Msg("Server startup complete")

	var failure error
	select {
	case s := <-p.signals:
		log.Info().Stringer("signal", s).Msg("shutting down")
	case failure = <-n.failed:
		log.Error().Err(failure).Msg("shutting down")
	}
	return errors.Join(failure, p.stop(n.stop, c.shutdownTimeout))
}

// errImpatient is what a second signal makes of a shutdown.
var errImpatient = errors.New("stopped at once by a second signal")

// stop shuts down in order, in at most so long, or at once when a second signal comes. The function that it is given
// returns soon after its context has ended.
func (p *process) stop(shutdown func(context.Context) error, limit time.Duration) error {
	timed, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	ctx, interrupt := context.WithCancelCause(timed)
	defer interrupt(nil)

	done := make(chan error, 1)
	go func() { done <- shutdown(ctx) }() // joined below, on both ways
	select {
	case err := <-done:
		return err
	case <-p.signals:
		interrupt(errImpatient)
		return errors.Join(errImpatient, <-done)
	}
}
