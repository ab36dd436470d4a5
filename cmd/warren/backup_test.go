package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// keep publishes n persistent messages to the durable queue "kept" and waits for their confirms.
func keep(t *testing.T, addr string, n int) {
	t.Helper()
	conn, err := amqp091.Dial("amqp://guest:guest@" + addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
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
	for i := range n {
		confirm, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), "", "kept", false, false,
			amqp091.Publishing{DeliveryMode: amqp091.Persistent, Body: fmt.Appendf(nil, "message-%d", i)})
		if err != nil {
			t.Fatal(err)
		}
		if acked, err := confirm.WaitContext(t.Context()); err != nil || !acked {
			t.Fatalf("acked: %v, %v", acked, err)
		}
	}
}

// kept returns the bodies of the messages in the queue "kept".
func kept(t *testing.T, addr string) (bodies []string) {
	t.Helper()
	conn, err := amqp091.Dial("amqp://guest:guest@" + addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	for {
		m, ok, err := ch.Get("kept", false)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return bodies
		}
		bodies = append(bodies, string(m.Body))
	}
}

func (r *running) stop() {
	r.t.Helper()
	r.signals <- syscall.SIGTERM
	if code := r.exitCode(); code != 0 {
		r.t.Fatalf("exit code %d", code)
	}
}

func TestBackupOfARunningAndOfAStoppedBrokerIsRestored(t *testing.T) {
	r := runServer(t)
	keep(t, r.amqp, 3)
	dir := t.TempDir()
	asked, found, stopped := filepath.Join(dir, "asked"), filepath.Join(dir, "found"), filepath.Join(dir, "stopped")
	t.Setenv("WARREN_MANAGEMENT", r.management)
	for file, args := range map[string][]string{
		asked: {"backup", "--management", r.management, "--user", "guest", asked, "--password", "guest"},
		// The folder is in use, so the broker is asked where the settings say that it is.
		found: {"backup", found, "--data-dir", r.dataDir},
	} {
		if code, out, stderr := once(args...); code != 0 || !strings.HasSuffix(out, " written to "+file+"\n") {
			t.Fatalf("%q: exit code %d, %s%s", args, code, out, stderr)
		}
	}
	if code, _, stderr := once("backup", "--management", r.management, asked); code != 1 || stderr != "warren: "+asked+" exists already; a backup goes into a new file\n" {
		t.Errorf("over another file: exit code %d, %s", code, stderr)
	}
	r.stop()
	if code, _, stderr := once("backup", "--data-dir", r.dataDir, stopped); code != 0 {
		t.Fatalf("stopped: exit code %d, %s", code, stderr)
	}
	for _, file := range []string{asked, found, stopped} {
		restored := file + "-data"
		if code, out, stderr := once("restore", file, "--data-dir", restored); code != 0 || !strings.HasSuffix(out, " restored to "+restored+"\n") {
			t.Fatalf("restore: exit code %d, %s%s", code, out, stderr)
		}
		if code, out, stderr := once("check", "--data-dir", restored); code != 0 || !strings.Contains(out, "messages: 3; chunks") {
			t.Fatalf("check: exit code %d, %s%s", code, out, stderr)
		}
		again := runServer(t, "--data-dir", restored)
		if got := strings.Join(kept(t, again.amqp), " "); got != "message-0 message-1 message-2" {
			t.Errorf("%s: the queue has %q", file, got)
		}
		again.stop()
		if left, _ := filepath.Glob(file + "*.partial"); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	}
}

func TestFaultsOfBackupAndRestoreAreOneLine(t *testing.T) {
	r := runServer(t)
	keep(t, r.amqp, 1)
	dir, closed := t.TempDir(), closedPort(t)
	file := filepath.Join(dir, "file")
	if code, _, stderr := once("backup", file, "--management", r.management); code != 0 {
		t.Fatal(stderr)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-1] ^= 1
	cut, damaged, other := write("cut", whole[:len(whole)-2]), write("damaged", flipped), write("other", []byte("something else"))
	in, data := filepath.Join(dir, "new"), filepath.Join(dir, "data")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no file":          {[]string{"backup"}, "no FILE is given; see warren backup --help"},
		"two files":        {[]string{"backup", "a", "b"}, `unexpected argument "b"; see warren --help`},
		"no data":          {[]string{"backup", in, "--data-dir", data}, "there is no data in " + data + "; choose the data folder with --data-dir"},
		"no broker":        {[]string{"backup", in, "--management", closed}, "no management API on " + closed + ": connection refused"},
		"bad login":        {[]string{"backup", in, "--management", r.management, "--user", "guest", "--password", "x"}, "the broker on " + r.management + ` refuses a backup to user "guest": Login failed`},
		"no backup":        {[]string{"restore", filepath.Join(dir, "nothing"), "--data-dir", data}, "open " + filepath.Join(dir, "nothing") + ": no such file or directory"},
		"cut":              {[]string{"restore", cut, "--data-dir", data}, cut + " is not a whole backup: it ends after"},
		"damaged":          {[]string{"restore", damaged, "--data-dir", data}, damaged + ": restore to " + data + ": wrong checksum of the backup"},
		"something else":   {[]string{"restore", other, "--data-dir", data}, other + ": restore to " + data + ": this is not a backup"},
		"into what exists": {[]string{"restore", file, "--data-dir", r.dataDir}, file + ": restore to " + r.dataDir + ": the folder is not empty"},
		"check in use":     {[]string{"check", "--data-dir", r.dataDir}, fmt.Sprintf("data folder %s is in use by process %d", r.dataDir, os.Getpid())},
		"check of nothing": {[]string{"check", "--data-dir", data}, "there is no data in " + data},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := once(c.args...)
			if code != 1 || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "warren: "+c.want) {
				t.Errorf("exit code %d\ngot  %swant %s", code, stderr, c.want)
			}
			for _, left := range []string{in, in + ".partial", data} {
				if _, err := os.Stat(left); err == nil {
					t.Errorf("%s is left", left)
				}
			}
		})
	}
}

// TestBackupIsRemovedWhenTheBrokerCutsItOff has a broker that fails under way.
func TestBackupIsRemovedWhenTheBrokerCutsItOff(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("the beginning"))
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer api.Close()
	file := filepath.Join(t.TempDir(), "file")
	code, _, stderr := once("backup", file, "--management", api.Listener.Addr().String())
	if code != 1 || stderr != "warren: the backup was cut off: unexpected EOF\n" {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if left, _ := filepath.Glob(file + "*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestSalvageServesWhatIsWholeAndLogsTheRest(t *testing.T) {
	r := runServer(t)
	keep(t, r.amqp, 5)
	dataDir := filepath.Join(t.TempDir(), "data") // as a kill would leave it: an orderly stop leaves no journal
	if err := os.CopyFS(dataDir, os.DirFS(r.dataDir)); err != nil {
		t.Fatal(err)
	}
	r.stop()
	segments, err := filepath.Glob(filepath.Join(dataDir, "journal", "*"))
	if err != nil {
		t.Fatal(err)
	}
	damaged := ""
	for _, name := range segments {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if at := bytes.Index(content, []byte("message-2")); at >= 0 {
			damaged = name
			content[at] ^= 1
			if err := os.WriteFile(name, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if damaged == "" {
		t.Fatal("message-2 is in no segment of the journal")
	}
	for _, command := range []string{"server", "check"} {
		args := []string{command, "--data-dir", dataDir}
		if command == "server" {
			args = append(args, "--listen", "127.0.0.1:0", "--management", "none")
		}
		code, _, stderr := once(args...)
		if code != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "corrupt file "+damaged+" at offset ") {
			t.Errorf("%s: exit code %d, %s", command, code, stderr)
		}
	}
	saved := runServer(t, "--data-dir", dataDir, "--salvage")
	if got := strings.Join(kept(t, saved.amqp), " "); got != "message-0 message-1 message-3 message-4" {
		t.Errorf("the queue has %q", got)
	}
	lost := slices.IndexFunc(saved.said, func(line map[string]any) bool {
		what, _ := line["damage"].(string)
		return line["level"] == "error" && strings.Contains(what, damaged)
	})
	if lost < 0 {
		t.Errorf("the log does not say what was lost: %v", saved.said)
	}
	saved.stop()
	after := runServer(t, "--data-dir", dataDir)
	if got := len(kept(t, after.amqp)); got != 4 {
		t.Errorf("%d messages after the next start", got)
	}
}
