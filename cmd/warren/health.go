package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/urfave/cli/v2"
)

// healthCommand asks a running broker how it is. It reads the same settings as the server, so in a container it finds
// the broker beside it without any flag.
func (p *process) healthCommand(set *settings) *cli.Command {
	return &cli.Command{
		Name:  "health",
		Usage: "ask a running broker how it is; exit 0 if it serves, 1 if not",
		Description: "Asks the AMQP port to begin a handshake and, unless --ping is given, the management port for alarms.\n" +
			"Of several --listen addresses the first is asked.",
		Flags: append(set.flags("config", "listen", "management", "proxy-protocol", "default-user", "default-pass"),
			&cli.BoolFlag{Name: "ping", Usage: "only ask the AMQP port"},
			&cli.DurationFlag{Name: "timeout", Usage: "longest `TIME` to wait", Value: 5 * time.Second}),
		OnUsageError: usageError(set),
		Action: func(ctx *cli.Context) error {
			if err := noArguments(ctx); err != nil {
				return err
			}
			if err := set.resolve(); err != nil {
				return err
			}
			wait, cancel := context.WithTimeout(ctx.Context, ctx.Duration("timeout"))
			defer cancel()
			c := set.config
			if err := askAMQP(wait, c.listen[0], c.proxyProtocol); err != nil {
				return fmt.Errorf("no AMQP on %s: %w", c.listen[0], err)
			}
			if ctx.Bool("ping") || c.management == "" {
				_, err := fmt.Fprintln(p.stdout, "ok")
				return err
			}
			answer, err := api{c.management, c.defaultUser, c.defaultPass}.askAlarms(wait)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(p.stdout, answer)
			return err
		},
	}
}

// protocolHeader opens an AMQP 0-9-1 connection (specification 4.2.2).
const protocolHeader = "AMQP\x00\x00\x09\x01"

// askAMQP sees whether a broker answers the protocol header with connection.start, and leaves again. That costs the
// broker no login, and needs none. An address without a host means this machine.
func askAMQP(ctx context.Context, addr string, proxied bool) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return reason(err)
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // on a connection just opened it cannot fail
	}
	hello := protocolHeader
	if proxied { // a connection without a client behind it, as PROXY version 1 puts it
		hello = "PROXY UNKNOWN\r\n" + hello
	}
	if _, err := io.WriteString(conn, hello); err != nil {
		return err
	}
	// The frame's type, channel and size, then class and method: connection.start is 10, 10.
	var start [11]byte
	if _, err := io.ReadFull(conn, start[:]); err != nil {
		return fmt.Errorf("no answer to the protocol header: %w", err)
	}
	const methodFrame, connectionStart = 1, 10<<16 | 10
	if start[0] != methodFrame || binary.BigEndian.Uint32(start[7:]) != connectionStart {
		return fmt.Errorf("the answer to the protocol header is not connection.start: %q", start[:])
	}
	return nil
}

// askAlarms asks the management API whether an alarm holds publishers back. A refused login is no failure, since the
// default user may be gone or have another password by now: the API serves, and the answer says what it did not tell.
func (a api) askAlarms(ctx context.Context) (answer string, err error) {
	resp, err := a.get(ctx, "/api/health/checks/alarms")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return "ok", nil
	case http.StatusUnauthorized:
		return fmt.Sprintf("ok (alarms unknown: user %q may not ask)", a.user), nil
	}
	// RabbitMQ answers 503 with {"status":"failed","reason":…} while an alarm is on.
	return "", fmt.Errorf("not healthy: %s", refusal(resp))
}
