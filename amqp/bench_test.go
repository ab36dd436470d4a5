package amqp_test

import (
	"fmt"
	"testing"

	"github.com/warren-mq/warren/amqp"
)

// BenchmarkPublish reads and decodes messages from a stream that is always there.
func BenchmarkPublish(b *testing.B) {
	for _, size := range []int{16, 1024, 100_000} {
		for name, props := range map[string][]byte{"none": {0, 0}, "typical": typicalProperties(b)} {
			b.Run(fmt.Sprintf("size=%d/properties=%s", size, name), func(b *testing.B) {
				stream := publishStream(props, size)
				r := amqp.NewReader(&repeat{stream: stream}, 131072)
				var p publication
				b.ReportAllocs()
				b.SetBytes(int64(len(stream)))
				for b.Loop() {
					must(b, readMessage(r, &p))
				}
			})
		}
	}
}

// BenchmarkDeliver appends deliveries to an outbox.
func BenchmarkDeliver(b *testing.B) {
	props := typicalProperties(b)
	for _, size := range []int{16, 1024, 100_000} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			body := make([]byte, size)
			dst := appendDelivery(nil, 1, props, body)
			b.ReportAllocs()
			b.SetBytes(int64(len(dst)))
			for b.Loop() {
				dst = appendDelivery(dst[:0], 1, props, body)
			}
		})
	}
}

func BenchmarkPropertiesDecode(b *testing.B) {
	for name, wire := range map[string][]byte{"none": {0, 0}, "persistent": {0x10, 0, 2}, "typical": typicalProperties(b), "all": allProperties()} {
		b.Run(name, func(b *testing.B) {
			var p amqp.Properties
			b.ReportAllocs()
			for b.Loop() {
				must(b, p.Decode(wire))
			}
		})
	}
}

func BenchmarkRawTableGet(b *testing.B) {
	raw := rawTable(b, amqp.Table{{"a", int32(1)}, {"b", "longer"}, {"c", amqp.Table{{"x", true}}}, {"d", 1.5}, {"e", "last"}})
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := raw.Get("e"); !ok {
			b.Fatal("not found")
		}
	}
}

func BenchmarkTableDecode(b *testing.B) {
	wire := amqp.AppendTable(nil, amqp.Table{{"x-max-length", int32(1000)}, {"x-dead-letter-exchange", "dlx"}, {"x-overflow", "reject-publish"}})
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := amqp.DecodeTable(wire); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMethodDecode(b *testing.B) {
	publish := (&amqp.BasicPublish{Exchange: exchangeName, RoutingKey: routingKey}).Append(nil)
	ack := (&amqp.BasicAck{DeliveryTag: 5, Multiple: true}).Append(nil)
	b.Run("publish", func(b *testing.B) {
		var m amqp.BasicPublish
		b.ReportAllocs()
		for b.Loop() {
			must(b, m.Decode(publish[4:]))
		}
	})
	b.Run("ack", func(b *testing.B) {
		var m amqp.BasicAck
		b.ReportAllocs()
		for b.Loop() {
			must(b, m.Decode(ack[4:]))
		}
	})
	b.Run("split", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := amqp.SplitMethod(ack); err != nil {
				b.Fatal(err)
			}
		}
	})
}
