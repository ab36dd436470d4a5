package queue

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/warren-mq/warren/amqp"
)

// Arguments that make messages wait before they come back. x-retry is Warren's own; the others are RabbitMQ 4.3's, for
// quorum queues.
const (
	argRetry           = "x-retry"
	argDelayedRetry    = "x-delayed-retry-type"
	argDelayedRetryMin = "x-delayed-retry-min"
	argDelayedRetryMax = "x-delayed-retry-max"
)

// maxRetrySteps bounds what a ladder takes in memory.
const maxRetrySteps = 1000

// retry says how long a message that was given back waits until it is ready again. Times are milliseconds.
type retry struct {
	// steps are the ladder of x-retry: the delay of the first return, of the second, … None is for RabbitMQ's kind.
	steps  []int64
	jitter bool

	failed, returned bool // which returns are delayed, for RabbitMQ's kind
	least, most      int64
}

// delay is how long a message waits after its return number count. It failed unless a client gave it back by basic.nack
// or basic.recover, as RabbitMQ 4.3 sees it: basic.reject and the loss of a consumer are failures.
func (r *retry) delay(seq uint64, count int64, failed bool) int64 {
	if r.steps != nil {
		d := r.steps[min(count, int64(len(r.steps)))-1]
		if r.jitter {
			d -= spread(seq, count, d/2)
		}
		return d
	}
	if failed && !r.failed || !failed && !r.returned {
		return 0
	}
	if r.least > 0 && count > r.most/r.least {
		return r.most
	}
	return r.least * count
}

// longest is the longest delay there is.
func (r *retry) longest() (longest int64) {
	for _, d := range r.steps {
		longest = max(longest, d)
	}
	return max(longest, r.most)
}

// spread returns a number from 0 to most that looks like chance and depends on the message and its count alone: what was
// given back together comes back apart.
func spread(seq uint64, count, most int64) int64 {
	x := (seq ^ uint64(count)<<seqBits) + 0x9e3779b97f4a7c15 // the mixing steps of splitmix64
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	return int64(x % uint64(most+1))
}

// retryOf reads arguments that have been checked.
func retryOf(args amqp.Table) (r retry, ok bool) {
	if ladder, ok := text(args, argRetry); ok {
		r, err := parseLadder(ladder)
		return r, err == nil
	}
	switch kind, _ := text(args, argDelayedRetry); kind {
	case "all":
		r.failed, r.returned = true, true
	case "failed":
		r.failed = true
	case "returned":
		r.returned = true
	default:
		return r, false
	}
	r.least = integer(args, argDelayedRetryMin, 0)
	r.most = integer(args, argDelayedRetryMax, maxMillis)
	return r, true
}

// parseLadder reads the value of x-retry:
//
//	ladder = ( steps | growth ) [ " jitter" ]
//	steps  = time { "," time }                              the delay of each return
//	growth = "exponential" " " time ".." time " x" number   from the first to the second, doubled each time
//	time   = number ( "ms" | "s" | "m" | "h" | "d" )
//
// Spaces around a step count for nothing. With jitter a delay is shorter by up to its half.
func parseLadder(s string) (r retry, err error) {
	s, r.jitter = strings.CutSuffix(strings.TrimSpace(s), " jitter")
	if growth, ok := strings.CutPrefix(s, "exponential "); ok {
		r.steps, err = parseGrowth(growth)
		return r, err
	}
	if n := strings.Count(s, ",") + 1; n > maxRetrySteps {
		return r, tooManySteps(n)
	}
	for step := range strings.SplitSeq(s, ",") {
		d, err := parseMillis(strings.TrimSpace(step))
		if err != nil {
			return r, err
		}
		r.steps = append(r.steps, d)
	}
	return r, nil
}

func parseGrowth(s string) ([]int64, error) {
	malformed := fmt.Errorf("unsupported retry ladder 'exponential %.60s'", s)
	span, number, ok := strings.Cut(strings.TrimSpace(s), " ")
	low, high, isSpan := strings.Cut(span, "..")
	number, hasNumber := strings.CutPrefix(strings.TrimSpace(number), "x")
	n, err := strconv.ParseUint(number, 10, 31)
	if !ok || !isSpan || !hasNumber || err != nil || n == 0 {
		return nil, malformed
	}
	if n > maxRetrySteps {
		return nil, tooManySteps(int(n))
	}
	least, err := parseMillis(low)
	if err != nil {
		return nil, err
	}
	most, err := parseMillis(high)
	if err != nil {
		return nil, err
	}
	if least == 0 || most < least {
		return nil, malformed
	}
	steps := make([]int64, n)
	for i := range steps {
		steps[i] = least
		least = min(2*least, most)
	}
	return steps, nil
}

// parseMillis reads a time of at most ten years, as the times that RabbitMQ takes.
func parseMillis(s string) (int64, error) {
	units := []struct {
		name   string
		millis int64
	}{{"ms", 1}, {"s", 1000}, {"m", 60_000}, {"h", 3_600_000}, {"d", 86_400_000}}
	for _, u := range units {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 63)
		if err != nil {
			break
		}
		if n > uint64(maxMillis/u.millis) {
			return 0, fmt.Errorf("retry step '%.60s' is longer than ten years", s)
		}
		return int64(n) * u.millis, nil
	}
	return 0, fmt.Errorf("unsupported retry step '%.60s'", s)
}

func tooManySteps(n int) error {
	return fmt.Errorf("a retry ladder has at most %d steps, this one %d", maxRetrySteps, n)
}

// checkRetry checks x-retry, an argument of Warren's own.
func checkRetry(v any, args amqp.Table) string {
	if reason := checkString(v, args); reason != "" {
		return reason
	}
	_, err := parseLadder(v.(string))
	if kind, _ := text(args, argDelayedRetry); err == nil && kind != "" && kind != "disabled" {
		err = errors.New("unsupported together with " + argDelayedRetry)
	}
	if err != nil {
		return erlangString(err.Error())
	}
	return ""
}

// checkDelayedRetry checks x-delayed-retry-type, which needs a delay to start from.
func checkDelayedRetry(v any, args amqp.Table) string {
	if reason := oneOf("invalid_delayed_retry_type", "disabled", "all", "failed", "returned")(v, args); reason != "" || v == "disabled" {
		return reason
	}
	if _, ok := args.Get(argDelayedRetryMin); !ok {
		return "delayed_retry_type_but_no_delayed_retry_min_defined"
	}
	return ""
}

func checkDelayedRetryMax(v any, args amqp.Table) string {
	if reason := checkMessageTTL(v, args); reason != "" {
		return reason
	}
	if n, _ := amqp.Integer(v); n < integer(args, argDelayedRetryMin, 0) {
		return "delayed_retry_max_below_delayed_retry_min"
	}
	return ""
}
