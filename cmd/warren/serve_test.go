package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests; none of them comes near it unless it fails.
const patience = 20 * time.Second

// once runs a command line that ends by itself.
func once(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	signals := make(chan os.Signal, 1)
	late := time.AfterFunc(patience, func() { signals <- syscall.SIGTERM }) // a server that should not have started
	defer late.Stop()
	p := process{stdout: &out, stderr: &errs, signals: signals}
	code = p.run(append([]string{"warren"}, args...))
	return code, out.String(), errs.String()
}

// running is a server that a test has started in its own process.
type running struct {
	t       *testing.T
	lines   chan map[string]any // its log
	said    []map[string]any    // what await has read of it
	signals chan os.Signal
	exit    chan int

	amqp, management, dataDir string
}

// runServer runs a server on free ports and returns when it is ready. The test's end stops it.
func runServer(t *testing.T, args ...string) *running {
	t.Helper()
	r := &running{t: t, lines: make(chan map[string]any, 1000), signals: make(chan os.Signal, 2), exit: make(chan int, 1)}
	read, write := io.Pipe()
	args = append([]string{"warren", "--listen", "127.0.0.1:0", "--management", "127.0.0.1:0", "--log-format", "json",
		"--data-dir", filepath.Join(t.TempDir(), "data")}, args...)
	var wg sync.WaitGroup
	wg.Go(func() {
		p := process{stdout: write, stderr: write, signals: r.signals}
		r.exit <- p.run(args)
		write.Close()
	})
	wg.Go(func() {
		defer close(r.lines)
		for in := bufio.NewScanner(read); in.Scan(); {
			line := map[string]any{}
			if err := json.Unmarshal(in.Bytes(), &line); err != nil {
				line["message"] = in.Text() // the one line of an error
			}
			r.lines <- line
		}
	})
	t.Cleanup(func() {
		select {
		case r.signals <- syscall.SIGTERM:
		default: // the test has sent its own
		}
		wg.Wait()
	})
	ready := r.await("Server startup complete")
	r.amqp = ready["amqp"].([]any)[0].(string)
	r.management, _ = ready["management"].(string)
	r.dataDir = ready["data_dir"].(string)
	return r
}

// await returns the next line of the log whose message begins so.
func (r *running) await(message string) map[string]any {
	r.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case line, ok := <-r.lines:
			if !ok {
				r.t.Fatalf("the server ended without saying %q", message)
			}
			r.said = append(r.said, line)
			if text, _ := line["message"].(string); strings.HasPrefix(text, message) {
				return line
			}
		case <-deadline:
			r.t.Fatalf("the server does not say %q", message)
		}
	}
}

// exitCode waits for the server's end.
func (r *running) exitCode() int {
	r.t.Helper()
	select {
	case code := <-r.exit:
		return code
	case <-time.After(patience):
		r.t.Fatal("the server does not end")
		return 0
	}
}

func TestSignalStopsTheServerInOrder(t *testing.T) {
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(s.String(), func(t *testing.T) {
			r := runServer(t)
			conn, err := amqp091.Dial("amqp://guest:guest@" + r.amqp + "/")
			if err != nil {
				t.Fatal(err)
			}
			closed := conn.NotifyClose(make(chan *amqp091.Error, 1))
			r.signals <- s
			if code := r.exitCode(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			select {
			case e := <-closed:
				const want = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"
				if e == nil || e.Code != 320 || e.Reason != want {
					t.Errorf("the client was told %v", e)
				}
			case <-time.After(patience):
				t.Error("the client was told nothing")
			}
			if _, err := net.Dial("tcp", r.amqp); err == nil {
				t.Error("the port is still open")
			}
		})
	}
}

func TestReadyLineSaysVersionAddressesAndDataFolder(t *testing.T) {
	r := runServer(t, "--listen", "localhost:0", "--node-name", "rabbit@test")
	for what, addr := range map[string]string{"AMQP": r.amqp, "management": r.management} {
		if _, port, err := net.SplitHostPort(addr); err != nil || port == "0" {
			t.Errorf("%s is on %q", what, addr)
		}
	}
	if !filepath.IsAbs(r.dataDir) {
		t.Errorf("data folder %s", r.dataDir)
	}
	if _, err := os.Stat(r.dataDir); err != nil {
		t.Error(err)
	}
	r.signals <- syscall.SIGTERM
	r.exitCode()

	code, out, _ := once("version")
	if code != 0 || !strings.HasPrefix(out, "warren ") {
		t.Errorf("version: exit code %d, %q", code, out)
	}
}

func TestServerCommandIsTheDefaultCommand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	for _, command := range [][]string{nil, {"server"}} {
		// A port that cannot be listened on ends the command at once, after it has opened the folder.
		args := append(command, "--data-dir", dir, "--listen", "203.0.113.1:1")
		code, _, stderr := once(args...)
		if code != 1 || !strings.Contains(stderr, "cannot listen on 203.0.113.1:1") {
			t.Errorf("%q: exit code %d, %s", args, code, stderr)
		}
	}
}

func TestFlagsBeforeAndBehindTheCommandAddUp(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	dir := filepath.Join(t.TempDir(), "data")
	code, _, stderr := once("--data-dir", dir, "server", "--listen", busy.Addr().String())
	if code != 1 || !strings.Contains(stderr, busy.Addr().String()) {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("--data-dir before the command was not heeded: %v", err)
	}
}

func TestFaultsAreOneLineAndExitCode1(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(folder, "data")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"port in use": {
			[]string{"--data-dir", data, "--listen", busy.Addr().String()},
			"warren: cannot listen on " + busy.Addr().String() + ": address already in use by another program; choose another address with --listen",
		},
		"management port in use": {
			[]string{"--data-dir", data, "--listen", "127.0.0.1:0", "--management", busy.Addr().String()},
			"warren: cannot listen on " + busy.Addr().String() + ": address already in use by another program; choose another address with --management",
		},
		"unwritable folder": {
			[]string{"--data-dir", filepath.Join(file, "data")},
			"warren: cannot write in the data folder " + filepath.Join(file, "data") + ": not a directory; choose another with --data-dir",
		},
		"unreadable configuration": {
			[]string{"--config", folder},
			"warren: read the configuration file: read " + folder + ": is a directory",
		},
		"unknown flag":    {[]string{"server", "--prodct", "1"}, "warren: unknown flag --prodct (did you mean --product?); see warren --help"},
		"unknown command": {[]string{"sever"}, `warren: unexpected argument "sever"; see warren --help`},
		"bad value":       {[]string{"--log-level", "loud"}, `warren: --log-level: "loud" is not one of trace, debug, info, warn, error`},
		"version argument": {
			[]string{"version", "x"}, `warren: unexpected argument "x"; see warren --help`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := once(c.args...)
			if code != 1 || stderr != c.want+"\n" {
				t.Errorf("exit code %d\ngot  %swant %s", code, stderr, c.want)
			}
		})
	}
}

func TestDataFolderInUseIsRefusedWithTheHoldersProcess(t *testing.T) {
	r := runServer(t)
	code, _, stderr := once("--data-dir", r.dataDir, "--listen", "127.0.0.1:0", "--management", "none")
	holder := fmt.Sprintf("process %d", os.Getpid())
	if code != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, r.dataDir) || !strings.Contains(stderr, holder) {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

func TestDurableThingsAreThereAfterARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first := runServer(t, "--data-dir", dir)
	conn, err := amqp091.Dial("amqp://guest:guest@" + first.amqp + "/")
	if err != nil {
		t.Fatal(err)
	}
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare("kept", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	confirm, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), "", "kept", false, false,
		amqp091.Publishing{DeliveryMode: amqp091.Persistent, Body: []byte("message")})
	if err != nil {
		t.Fatal(err)
	}
	if acked, err := confirm.WaitContext(t.Context()); err != nil || !acked {
		t.Fatalf("acked: %v, %v", acked, err)
	}
	first.signals <- syscall.SIGTERM
	if code := first.exitCode(); code != 0 {
		t.Fatalf("exit code %d", code)
	}

	second := runServer(t, "--data-dir", dir)
	if conn, err = amqp091.Dial("amqp://guest:guest@" + second.amqp + "/"); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if ch, err = conn.Channel(); err != nil {
		t.Fatal(err)
	}
	got, ok, err := ch.Get("kept", true)
	if err != nil || !ok || string(got.Body) != "message" {
		t.Errorf("got %q, %v, %v", got.Body, ok, err)
	}
}

func TestUnwritableFolderForOthersThanRoot(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := once("--data-dir", dir)
	if code != 1 || !strings.Contains(stderr, "cannot write in the data folder "+dir+": permission denied") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

func TestSecondSignalStopsAtOnce(t *testing.T) {
	signals := make(chan os.Signal, 2)
	p := process{signals: signals}
	stopping := func(ctx context.Context) error { // as long as it is let
		signals <- syscall.SIGTERM
		<-ctx.Done()
		return context.Cause(ctx)
	}
	if err := p.stop(stopping, time.Hour); !errors.Is(err, errImpatient) {
		t.Errorf("got %v", err)
	}
}

func TestShutdownTimeoutBoundsTheStop(t *testing.T) {
	p := process{}
	stopping := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	if err := p.stop(stopping, time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestSettingsReachTheBroker(t *testing.T) {
	r := runServer(t, "--default-user", "alice", "--default-pass", "pw", "--default-vhost", "prod", "--loopback-users", "none",
		"--product", "Warren", "--product-version", "9.9.9", "--heartbeat", "7s", "--frame-max", "8192", "--channel-max", "9",
		"--max-message-size", "1000B")
	if _, err := amqp091.Dial("amqp://guest:guest@" + r.amqp + "/prod"); !errors.Is(err, amqp091.ErrCredentials) {
		t.Errorf("guest: %v", err)
	}
	conn, err := amqp091.Dial("amqp://alice:pw@" + r.amqp + "/prod")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if p, v := conn.Properties["product"], conn.Properties["version"]; p != "Warren" || v != "9.9.9" {
		t.Errorf("product %v, version %v", p, v)
	}
	if c := conn.Config; c.Heartbeat != 7*time.Second || c.FrameSize != 8192 || c.ChannelMax != 9 {
		t.Errorf("heartbeat %v, frame-max %d, channel-max %d", c.Heartbeat, c.FrameSize, c.ChannelMax)
	}
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	closed := ch.NotifyClose(make(chan *amqp091.Error, 1))
	if err := ch.PublishWithContext(t.Context(), "", "nowhere", false, false, amqp091.Publishing{Body: make([]byte, 1001)}); err != nil {
		t.Fatal(err)
	}
	select {
	case e := <-closed:
		if e == nil || e.Code != amqp091.PreconditionFailed {
			t.Errorf("a message above the limit: %v", e)
		}
	case <-time.After(patience):
		t.Error("a message above the limit was taken")
	}
}
