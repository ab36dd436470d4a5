package management

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/warren-mq/warren/amqp"
)

// table is a field table as the API shows it: an object, empty if there are no fields. Of fields with the same name the
// first counts, as it does for the broker.
type table amqp.Table

// MarshalJSON writes the fields in their order on the wire.
func (t table) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	seen := make(map[string]bool, len(t))
	for _, f := range t {
		if seen[f.Name] {
			continue
		}
		if len(seen) > 0 {
			b.WriteByte(',')
		}
		seen[f.Name] = true
		if err := encode(&b, f.Name); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := encode(&b, jsonValue(f.Value)); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// jsonValue maps the value of a field to what encodes as RabbitMQ shows it.
func jsonValue(v any) any {
	switch v := v.(type) {
	case string:
		return text(v)
	case amqp.Binary:
		return text(string(v))
	case amqp.Table:
		return table(v)
	case []any:
		return array(v)
	case amqp.Array:
		return array(v)
	case amqp.Timestamp:
		return uint64(v)
	case amqp.Decimal:
		return float64(v.Value) / math.Pow10(int(v.Scale))
	case float32:
		return number(float64(v), 32)
	case float64:
		return number(v, 64)
	}
	return v // integers, booleans and void, which is null
}

func array(values []any) []any {
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = jsonValue(v)
	}
	return list
}

// text shows a long string. What is not UTF-8 cannot stand in JSON; the words are RabbitMQ's.
func text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return "Not UTF-8, base64 is: " + base64.StdEncoding.EncodeToString([]byte(s))
}

// number shows a float. JSON has no infinities, so these become null.
func number(f float64, bits int) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	if bits == 32 {
		return float32(f)
	}
	return f
}

// optional is a text that is null when it is empty.
type optional string

// MarshalJSON writes the text or null.
func (o optional) MarshalJSON() ([]byte, error) {
	if o == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(o))
}

// null is a field that has no value in this broker.
type null struct{}

// MarshalJSON writes null.
func (null) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// connectionName is the name that a client gave its connection, "" if none.
func connectionName(properties amqp.Table) string {
	v, _ := properties.Get("connection_name")
	name, _ := v.(string)
	return strings.ToValidUTF8(name, "\uFFFD")
}
