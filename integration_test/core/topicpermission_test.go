package core_test

import (
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/amqptest"
	"github.com/warren-mq/warren/auth"
)

// TestTopicPermissionsLimitRoutingKeys, for publishing (write), binding and unbinding (read), on topic exchanges alone
// and at once when they change.
func TestTopicPermissionsLimitRoutingKeys(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	users := s.Broker.Users
	permit := func(exchange string, p auth.TopicPermission) {
		t.Helper()
		if err := users.SetTopicPermissions("guest", "/", exchange, p); err != nil {
			t.Fatal(err)
		}
	}
	permit("amq.topic", auth.TopicPermission{Write: `^{username}\.`, Read: `^a\.`})
	permit("amq.direct", auth.TopicPermission{Write: "^$", Read: "^$"}) // no topic exchange
	refused := func(key string, id amqp.MethodID) amqp.Method {
		return closed(403, "ACCESS_REFUSED - access to topic '"+key+"' in exchange 'amq.topic' in vhost '/' refused for user 'guest'", id)
	}
	publish := func(exchange, key string, props []byte) []byte {
		return message(1, &amqp.BasicPublish{Exchange: []byte(exchange), RoutingKey: []byte(key)}, props, []byte("x"))
	}
	method := func(m amqp.Method) []byte { return amqp.AppendMethod(nil, 1, m) }
	for _, c := range []struct {
		name  string
		bytes []byte
		want  amqp.Method // nil: allowed
	}{
		{"publish what is allowed", publish("amq.topic", "guest.a", nil), nil},
		{"publish what is not", publish("amq.topic", "bob.a", nil), refused("bob.a", amqp.BasicPublishID)},
		{"CC is not looked at", publish("amq.topic", "guest.a", headers("CC", amqp.Array{"bob.a"})), nil},
		{"direct exchanges are not limited", publish("amq.direct", "bob.a", nil), nil},
		{"bind what is allowed", method(&amqp.QueueBind{Queue: "q", Exchange: "amq.topic", RoutingKey: "a.#"}), nil},
		{"bind what is not", method(&amqp.QueueBind{Queue: "q", Exchange: "amq.topic", RoutingKey: "#"}), refused("#", amqp.QueueBindID)},
		{"unbind what is not", method(&amqp.QueueUnbind{Queue: "q", Exchange: "amq.topic", RoutingKey: "#"}), refused("#", amqp.QueueUnbindID)},
		{"before the queue is looked for", method(&amqp.QueueBind{Queue: "none", Exchange: "amq.topic", RoutingKey: "#"}), refused("#", amqp.QueueBindID)},
		{"bind an exchange", method(&amqp.ExchangeBind{Destination: "amq.fanout", Source: "amq.topic", RoutingKey: "#"}), refused("#", amqp.ExchangeBindID)},
		{"as a destination it does not count", method(&amqp.ExchangeBind{Destination: "amq.topic", Source: "amq.fanout", RoutingKey: "#"}), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := openChannel(t, s)
			p.send(1, &amqp.QueueDeclare{Queue: "q", NoWait: true})
			p.write(c.bytes)
			if c.want != nil {
				p.expect(1, c.want)
				return
			}
			p.send(1, &amqp.BasicQos{})
			for {
				_, m := p.method()
				switch m.ID() {
				case amqp.QueueBindOkID, amqp.ExchangeBindOkID:
					continue
				case amqp.BasicQosOkID:
					return
				}
				t.Fatalf("got %v %+v", m.ID(), m)
			}
		})
	}
	t.Run("a change counts at once", func(t *testing.T) {
		p := openChannel(t, s)
		p.write(publish("amq.topic", "guest.b", nil))
		p.send(1, &amqp.BasicQos{})
		p.skip(amqp.BasicQosOkID)
		permit("amq.topic", auth.TopicPermission{Write: "^$", Read: "^$"})
		p.write(publish("amq.topic", "guest.b", nil))
		p.expect(1, refused("guest.b", amqp.BasicPublishID))
	})
}
