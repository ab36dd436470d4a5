package exchange

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/warren-mq/warren/amqp"
)

// term prints the value of an argument as the Erlang term that RabbitMQ shows in reply texts: tables and arrays as
// lists of tuples with the names of the types.
func term(v any) string {
	switch v := v.(type) {
	case nil:
		return "undefined"
	case bool:
		return strconv.FormatBool(v)
	case string:
		return amqp.ErlangBinary([]byte(v))
	case amqp.Binary:
		return amqp.ErlangBinary(v)
	case float32:
		return float(float64(v))
	case float64:
		return float(v)
	case amqp.Decimal:
		return fmt.Sprintf("{%d,%d}", v.Scale, v.Value)
	case amqp.Array:
		items := make([]string, len(v))
		for i := range v {
			items[i] = fmt.Sprintf("{%s,%s}", amqp.TypeName(v[i]), term(v[i]))
		}
		return "[" + strings.Join(items, ",") + "]"
	case amqp.Table:
		items := make([]string, len(v))
		for i, f := range v {
			items[i] = fmt.Sprintf("{%s,%s,%s}", amqp.ErlangBinary([]byte(f.Name)), amqp.TypeName(f.Value), term(f.Value))
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	return fmt.Sprint(v) // an integer
}

// float prints the shortest digits that give f again, with at least one behind the point, as Erlang does.
func float(f float64) string {
	digits, exponent, scientific := strings.Cut(strconv.FormatFloat(f, 'g', -1, 64), "e")
	if !strings.Contains(digits, ".") {
		digits += ".0"
	}
	if !scientific {
		return digits
	}
	n, _ := strconv.Atoi(exponent) // FormatFloat wrote it
	return digits + "e" + strconv.Itoa(n)
}
