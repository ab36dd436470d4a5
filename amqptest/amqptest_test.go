package amqptest_test

import (
	"bufio"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"github.com/warren-mq/warren/amqptest"
	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dial connects a client that lasts as long as the test.
func dial(t *testing.T, s *amqptest.Server) *amqp091.Connection {
	t.Helper()
	conn, err := amqp091.Dial(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// channel opens a channel of a connection of its own.
func channel(t *testing.T, s *amqptest.Server) *amqp091.Channel {
	t.Helper()
	ch, err := dial(t, s).Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func TestServersShareNothing(t *testing.T) {
	const count = 5
	var servers []*amqptest.Server
	for range count {
		servers = append(servers, amqptest.NewServer(t, amqptest.WithoutManagement()))
	}
	seen := make(map[string]bool)
	for i, s := range servers {
		if seen[s.Addr] {
			t.Fatalf("two servers at %s", s.Addr)
		}
		seen[s.Addr] = true
		if _, err := channel(t, s).QueueDeclare("q", false, false, false, false, amqp091.Table{"x-number": int32(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range servers {
		vh, _ := s.Broker.VHost("/")
		if n := vh.QueueCount(); n != 1 {
			t.Errorf("%d queues at %s, want its own", n, s.Addr)
		}
	}
}

func TestServersMayRunInParallel(t *testing.T) {
	for range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			ch := channel(t, amqptest.NewServer(t))
			if _, err := ch.QueueDeclare("", false, true, true, false, nil); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestCloseMayBeCalledAgain(t *testing.T) {
	s, err := amqptest.Start()
	if err != nil {
		t.Fatal(err)
	}
	dial(t, s)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if c, err := net.Dial("tcp", s.Addr); err == nil { // whoever has closed it finds it closed
				c.Close()
				t.Error("the server still accepts")
			}
		})
	}
	wg.Wait()
}

func TestCloseBeforeTheCleanup(t *testing.T) {
	if err := amqptest.NewServer(t).Close(); err != nil {
		t.Fatal(err)
	}
}

func TestClientsLearnThatTheServerCloses(t *testing.T) {
	s := amqptest.NewServer(t)
	closed := dial(t, s).NotifyClose(make(chan *amqp091.Error, 1))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// The client reports 320, or that it could not answer it: the broker does not wait for that.
	if e := <-closed; e == nil {
		t.Fatal("the client has closed by itself")
	}
}

// TestCloseDoesNotHangOnAClient that asks and never reads.
func TestCloseDoesNotHangOnAClient(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithServer(server.Config{Heartbeat: -1}))
	c, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "AMQP\x00\x00\x09\x01"); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
}

func TestOptionsReachTheServer(t *testing.T) {
	var log strings.Builder
	s, err := amqptest.Start(
		amqptest.WithBroker(broker.Config{Version: "4.1.0", DefaultVHost: "a test"}),
		amqptest.WithServer(server.Config{ChannelMax: 3}),
		amqptest.WithLog(&log),
	)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := amqp091.Dial(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if v := conn.Properties["version"]; v != "4.1.0" {
		t.Errorf("version %v", v)
	}
	if n := conn.Config.ChannelMax; n != 3 {
		t.Errorf("channel_max %d", n)
	}
	conn.Close()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	lines := 0
	for sc := bufio.NewScanner(strings.NewReader(log.String())); sc.Scan(); lines++ {
		if line := sc.Text(); !strings.HasPrefix(line, "{") {
			t.Errorf("not a JSON line: %s", line)
		}
	}
	if lines == 0 {
		t.Error("nothing was logged")
	}
}

func TestManagementIsThereUnlessLeftOut(t *testing.T) {
	s := amqptest.NewServer(t)
	res, err := http.Get(strings.Replace(s.ManagementURL, "http://", "http://guest:guest@", 1) + "/api/overview")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if res.StatusCode != http.StatusOK {
		t.Errorf("status %d", res.StatusCode)
	}
	if s := amqptest.NewServer(t, amqptest.WithoutManagement()); s.ManagementURL != "" {
		t.Errorf("there is management at %s", s.ManagementURL)
	}
}

// TestAnIdleDataFolderIsSmall: a broker in a test may have one of its own.
func TestAnIdleDataFolderIsSmall(t *testing.T) {
	dir := t.TempDir()
	s := amqptest.NewServer(t, amqptest.WithoutManagement(), amqptest.WithDataDir(dir))
	conn, err := amqp091.Dial(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare("q", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	var size int64
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if info, infoErr := e.Info(); err == nil && infoErr == nil {
			size += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return err
	})
	if err != nil || size > 64<<20 {
		t.Fatalf("%d bytes, %v", size, err)
	}
}
