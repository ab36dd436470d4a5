package server

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
)

// TestAChannelIsIdleSinceItsLastPublishOrAck, not since its last other method.
func TestAChannelIsIdleSinceItsLastPublishOrAck(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := consuming(t, s, 0)
		idle := func() time.Time {
			synctest.Wait()
			return s.broker.Connections()[0].Channels()[0].IdleSince
		}
		time.Sleep(time.Minute)
		if since := idle(); since.IsZero() {
			t.Error("not idle after a minute")
		}
		p.publish(1, "", "q", "m")
		tag, _ := p.delivery()
		if since := idle(); !since.IsZero() {
			t.Errorf("idle since %v after a publish", since)
		}
		time.Sleep(time.Minute)
		last := time.Now()
		p.send(1, &amqp.BasicAck{DeliveryTag: tag})
		synctest.Wait()
		time.Sleep(time.Minute)
		if since := idle(); !since.Equal(last.Truncate(time.Millisecond)) {
			t.Errorf("idle since %v, want since the ack at %v", since, last)
		}
	})
}
