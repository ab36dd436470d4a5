package queue_test

import (
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
)

func TestDeduplicationArgumentsAreChecked(t *testing.T) {
	quorum := func(more ...any) amqp.Table { return append(table("x-queue-type", "quorum"), table(more...)...) }
	for _, test := range []struct {
		args amqp.Table
		want string
	}{
		{table("x-dedup-window", "10m,100000", "x-dedup-header", "h"), ""},
		{quorum("x-dedup-window", "10m"), ""},
		{table("x-dedup-window", "5", "x-dedup-dead-letter", true, "x-dead-letter-exchange", ""), ""},
		{table("x-message-deduplication", true), ""},
		{table("x-dedup-window", "5x"), "x-dedup-window" + forQ + `"expected a time, a count, or both, such as 10m, 100000 or 10m,100000"`},
		{table("x-dedup-window", int32(5)), "x-dedup-window" + forQ + "{unacceptable_type,signedint}"},
		{table("x-dedup-header", "h"), "x-dedup-header" + forQ + "no_dedup_window_defined"},
		{table("x-dedup-window", "5", "x-dedup-dead-letter", true), "x-dedup-dead-letter" + forQ + "dedup_dead_letter_but_no_dlx_defined"},
		{table("x-message-deduplication", "true"), "x-message-deduplication" + forQ + "{unacceptable_type,longstr}"},
	} {
		got := reply(t, queue.CheckArguments("q", "/", true, false, false, false, test.args))
		if test.want != "" {
			test.want = invalidArg + test.want
		}
		if got != test.want {
			t.Errorf("%v:\n got %s\nwant %s", test.args, got, test.want)
		}
	}
	got := reply(t, queue.CheckArguments("q", "/", true, false, false, false, quorum("x-message-deduplication", true)))
	if want := "PRECONDITION_FAILED - invalid arg 'x-message-deduplication' for queue 'q' in vhost '/' of queue type rabbit_quorum_queue"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
