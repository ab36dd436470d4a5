package dedup

import (
	"strconv"
	"strings"

	"github.com/warren-mq/warren/amqp"
)

// Arguments of queues and exchanges.
const (
	ArgWindow     = "x-dedup-window"
	ArgHeader     = "x-dedup-header"
	ArgDeadLetter = "x-dedup-dead-letter"
)

// Options are what these arguments say.
type Options struct {
	Span       int64 // milliseconds; 0: no limit
	Count      int   // 0: no limit
	Header     string
	DeadLetter bool
}

const (
	maxMillis = 315_360_000_000 // ten years, as RabbitMQ limits times
	maxCount  = 100_000_000
)

var units = []struct {
	name   string
	millis int64
}{ // "ms" before "s" and "m", since the ends of a time are compared
	{"ms", 1}, {"s", 1000}, {"m", 60_000}, {"h", 3_600_000}, {"d", 86_400_000},
}

// Parse reads arguments; ok is false where there is no window. Arguments that Check refuses are read as far as they go.
func Parse(args amqp.Table) (o Options, ok bool) {
	v, ok := args.Get(ArgWindow)
	window, isString := v.(string)
	if !ok || !isString {
		return o, false
	}
	if o.Span, o.Count, ok = parseWindow(window); !ok {
		return o, false
	}
	v, _ = args.Get(ArgHeader)
	o.Header, _ = v.(string)
	v, _ = args.Get(ArgDeadLetter)
	o.DeadLetter, _ = v.(bool)
	return o, true
}

// parseWindow reads a time, a count, or both in this order: 10m, 100000, 10m,100000.
func parseWindow(s string) (span int64, count int, ok bool) {
	time, number, both := strings.Cut(s, ",")
	if span, ok = parseSpan(time); ok && !both {
		return span, 0, true
	}
	if !ok && !both {
		number = time
	}
	if both && !ok {
		return 0, 0, false
	}
	n, ok := parseNumber(number, maxCount)
	return span, int(n), ok
}

func parseSpan(s string) (millis int64, ok bool) {
	for _, u := range units {
		if digits, found := strings.CutSuffix(s, u.name); found {
			n, ok := parseNumber(digits, maxMillis/u.millis)
			return n * u.millis, ok
		}
	}
	return 0, false
}

// parseNumber takes digits from 1 to most.
func parseNumber(s string, most int64) (n int64, ok bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n >= 1 && n <= most
}

// CheckWindow returns why a value of x-dedup-window is refused, as RabbitMQ prints reasons, or nothing. CheckHeader and
// CheckDeadLetter do so for the other arguments.
func CheckWindow(v any, _ amqp.Table) (reason string) {
	s, ok := v.(string)
	if !ok {
		return unacceptable(v)
	}
	if _, _, ok := parseWindow(s); !ok {
		return `"expected a time, a count, or both, such as 10m, 100000 or 10m,100000"`
	}
	return ""
}

func CheckHeader(v any, args amqp.Table) (reason string) {
	switch s, ok := v.(string); {
	case !ok:
		return unacceptable(v)
	case s == "" || len(s) > 255:
		return `"expected the name of a header"`
	}
	return needsWindow(args)
}

func CheckDeadLetter(v any, args amqp.Table) (reason string) {
	if _, ok := v.(bool); !ok {
		return unacceptable(v)
	}
	if _, ok := args.Get("x-dead-letter-exchange"); !ok && v == true {
		return "dedup_dead_letter_but_no_dlx_defined"
	}
	return needsWindow(args)
}

func needsWindow(args amqp.Table) string {
	if _, ok := args.Get(ArgWindow); !ok {
		return "no_dedup_window_defined"
	}
	return ""
}

func unacceptable(v any) string { return "{unacceptable_type," + amqp.TypeName(v) + "}" }
