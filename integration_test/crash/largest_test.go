package crash_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// TestTheLargestMessageOutlivesKills publishes a persistent message of 128 MiB, which is what a message may have, and kills
// the broker after its confirm, after its delivery, and after its acknowledgement.
func TestTheLargestMessageOutlivesKills(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 128 MiB several times")
	}
	kind, dir := brokerOnDisk(t), t.TempDir()
	body := make([]byte, 128<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(body)

	p := startReady(t, kind, dir)
	ch := channelTo(t, p)
	_, err := ch.QueueDeclare("q", true, false, false, false, nil)
	must(t, err)
	must(t, ch.Confirm(false))
	publish := func(body []byte) {
		t.Helper()
		c, err := ch.PublishWithDeferredConfirmWithContext(context.Background(), "", "q", true, false,
			amqp091.Publishing{DeliveryMode: amqp091.Persistent, Body: body})
		must(t, err)
		if !c.Wait() {
			t.Fatal("not confirmed")
		}
	}
	publish(body)
	t.Logf("published: the broker had %s resident at most", p.mostResident())
	p.kill()

	for _, redelivered := range []bool{false, true} {
		p = startReady(t, kind, dir)
		ch = channelTo(t, p)
		m, ok, err := ch.Get("q", false)
		must(t, err)
		if !ok || !bytes.Equal(m.Body, body) || redelivered && !m.Redelivered {
			t.Fatalf("found %v, %d bytes, redelivered %v", ok, len(m.Body), m.Redelivered)
		}
		t.Logf("delivered: the broker had %s resident at most", p.mostResident())
		if redelivered {
			must(t, m.Ack(false))
			must(t, ch.Confirm(false))
			publish(nil) // whose confirm makes the acknowledgement safe
		}
		p.kill()
	}

	p = startReady(t, kind, dir)
	if m, ok, err := channelTo(t, p).Get("q", true); err != nil || !ok || len(m.Body) != 0 {
		t.Errorf("found %v, %d bytes, after the acknowledgement: %v", ok, len(m.Body), err)
	}
	must(t, p.stop())
}

func channelTo(t *testing.T, p *process) *amqp091.Channel {
	t.Helper()
	conn, err := amqp091.Dial("amqp://guest:guest@" + p.amqp + "/")
	must(t, err)
	t.Cleanup(func() { conn.Close() }) // the broker may be gone
	ch, err := conn.Channel()
	must(t, err)
	return ch
}

// mostResident is the greatest memory that the process has had, as the system says it.
func (p *process) mostResident() string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return "unknown memory"
	}
	_, most, _ := strings.Cut(string(status), "VmHWM:")
	most, _, _ = strings.Cut(most, "\n")
	return strings.TrimSpace(most)
}
