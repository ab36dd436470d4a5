package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// TestADiskThatFailsEndsTheServerAndNothingFalseIsConfirmed: the folder of the journal goes away, so the next segment
// cannot be begun.
func TestADiskThatFailsEndsTheServerAndNothingFalseIsConfirmed(t *testing.T) {
	r := runServer(t)
	conn, err := amqp091.Dial("amqp://guest:guest@" + r.amqp + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	closed := conn.NotifyClose(make(chan *amqp091.Error, 1))
	ch, err := conn.Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err == nil {
		_, err = ch.QueueDeclare("q", true, false, false, false, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	journal := filepath.Join(r.dataDir, "journal")
	if err := os.Rename(journal, journal+".away"); err != nil {
		t.Fatal(err)
	}
	var confirms []*amqp091.DeferredConfirmation
	for err == nil && len(confirms) < 1000 {
		var c *amqp091.DeferredConfirmation
		c, err = ch.PublishWithDeferredConfirm("", "q", false, false,
			amqp091.Publishing{DeliveryMode: amqp091.Persistent, Body: make([]byte, 100_000)})
		if err == nil {
			confirms = append(confirms, c)
		}
	}
	r.await("the store stops")
	if code := r.exitCode(); code != 1 {
		t.Errorf("exit code %d", code)
	}
	select {
	case <-closed:
	case <-time.After(patience):
		t.Error("the client was not told")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	confirmed := 0
	for _, c := range confirms {
		if ok, err := c.WaitContext(ctx); ok && err == nil {
			confirmed++
		}
	}
	if confirmed == len(confirms) || confirmed == 0 {
		t.Errorf("%d of %d confirmed: the test shows nothing", confirmed, len(confirms))
	}

	if err := os.Rename(journal+".away", journal); err != nil {
		t.Fatal(err)
	}
	r = runServer(t, "--data-dir", r.dataDir)
	again, err := amqp091.Dial("amqp://guest:guest@" + r.amqp + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if ch, err = again.Channel(); err != nil {
		t.Fatal(err)
	}
	if q, err := ch.QueueDeclarePassive("q", true, false, false, false, nil); err != nil || q.Messages < confirmed {
		t.Errorf("%d messages, %d were confirmed; %v", q.Messages, confirmed, err)
	}
}
