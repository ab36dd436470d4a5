package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// closedPort is an address that nobody listens on.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// answering accepts one connection after the other and sends the same to each, then closes it.
func answering(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // ends with the listener
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.CopyN(io.Discard, c, 8)
			io.WriteString(c, answer)
			c.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}

const connectionStart = "\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x0a\xce"

func TestHealthOfARunningBrokerIsOK(t *testing.T) {
	for name, flags := range map[string][]string{"plain": nil, "behind a proxy": {"--proxy-protocol"}} {
		t.Run(name, func(t *testing.T) {
			r := runServer(t, flags...)
			for _, extra := range [][]string{{"--management", r.management}, {"--management", "none"}, {"--ping"}} {
				args := append([]string{"health", "--listen", r.amqp}, append(flags, extra...)...)
				if code, out, stderr := once(args...); code != 0 || out != "ok\n" {
					t.Errorf("%q: exit code %d, %q, %s", args, code, out, stderr)
				}
			}
		})
	}
}

func TestHealthReadsTheServersSettings(t *testing.T) {
	r := runServer(t)
	t.Setenv("WARREN_LISTEN", r.amqp)
	t.Setenv("WARREN_MANAGEMENT", "none")
	if code, out, stderr := once("health"); code != 0 {
		t.Errorf("exit code %d, %q, %s", code, out, stderr)
	}
}

func TestAlarmHoldsPublishersAndIsReportedByHealth(t *testing.T) {
	r := runServer(t, "--memory-high-watermark", "1B")
	r.await("memory resource limit alarm set")
	code, _, stderr := once("health", "--listen", r.amqp, "--management", r.management)
	if code != 1 || !strings.HasPrefix(stderr, "warren: not healthy: ") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if code, _, stderr := once("health", "--ping", "--listen", r.amqp); code != 0 {
		t.Errorf("--ping: exit code %d, %s", code, stderr)
	}

	conn, err := amqp091.Dial("amqp://guest:guest@" + r.amqp + "/")
	if err != nil {
		t.Fatal(err)
	}
	// Not closed here: a blocked connection is not read, so its close would wait. The server's end closes it.
	blocked := conn.NotifyBlocked(make(chan amqp091.Blocking, 1))
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.PublishWithContext(t.Context(), "", "nowhere", false, false, amqp091.Publishing{}); err != nil {
		t.Fatal(err)
	}
	select {
	case b := <-blocked:
		if !b.Active || b.Reason != "low on memory" {
			t.Errorf("the publisher was told %+v", b)
		}
	case <-time.After(patience):
		t.Error("the publisher was told nothing")
	}
}

func TestHealthFailsWithoutABroker(t *testing.T) {
	closed := closedPort(t)
	mute := answering(t, "")
	foreign := answering(t, "HTTP/1.1 400 Bad Request\r\n\r\n")
	for addr, want := range map[string]string{
		closed:  "warren: no AMQP on " + closed + ": connection refused\n",
		mute:    "warren: no AMQP on " + mute + ": no answer to the protocol header: EOF\n",
		foreign: "warren: no AMQP on " + foreign + `: the answer to the protocol header is not connection.start: "HTTP/1.1 40"` + "\n",
	} {
		if code, _, stderr := once("health", "--ping", "--listen", addr); code != 1 || stderr != want {
			t.Errorf("exit code %d\ngot  %swant %s", code, stderr, want)
		}
	}
}

func TestHealthGivesUpOnAHangingBroker(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections into its backlog and does not look at them
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	code, _, stderr := once("health", "--ping", "--timeout", "50ms", "--listen", l.Addr().String())
	if code != 1 || !strings.Contains(stderr, "i/o timeout") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

func TestHealthAsksForAlarms(t *testing.T) {
	amqp := answering(t, connectionStart)
	for _, c := range []struct {
		name, body string
		status     int
		code       int
		out, err   string
	}{
		{"none", `{"status":"ok"}`, 200, 0, "ok\n", ""},
		{"an alarm", `{"status":"failed","reason":"There are alarms in effect","alarms":[]}`, 503, 1, "", "warren: not healthy: There are alarms in effect\n"},
		{"no reason", `<html>`, 500, 1, "", "warren: not healthy: 500 Internal Server Error\n"},
		{"another password", `{"error":"not_authorised"}`, 401, 0, "ok (alarms unknown: user \"alice\" may not ask)\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if user, pass, _ := r.BasicAuth(); r.URL.Path != "/api/health/checks/alarms" || user != "alice" || pass != "pw" {
					t.Errorf("asked %s as %s with %s", r.URL, user, pass)
				}
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			}))
			defer api.Close()
			code, out, stderr := once("health", "--listen", amqp, "--management", api.Listener.Addr().String(),
				"--default-user", "alice", "--default-pass", "pw")
			if code != c.code || out != c.out || stderr != c.err {
				t.Errorf("exit code %d, %q, %s", code, out, stderr)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		closed := closedPort(t)
		code, _, stderr := once("health", "--listen", amqp, "--management", closed)
		if want := "warren: no management API on " + closed + ": connection refused\n"; code != 1 || stderr != want {
			t.Errorf("exit code %d\ngot  %swant %s", code, stderr, want)
		}
	})
}
