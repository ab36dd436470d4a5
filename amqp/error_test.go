package amqp_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/warren-mq/warren/amqp"
)

func TestReplyCodes(t *testing.T) {
	for _, c := range []struct {
		code  amqp.ReplyCode
		value uint16
		name  string
		hard  bool
	}{
		{amqp.ReplySuccess, 200, "REPLY_SUCCESS", false},
		{amqp.ContentTooLarge, 311, "CONTENT_TOO_LARGE", false},
		{amqp.NoRoute, 312, "NO_ROUTE", false},
		{amqp.NoConsumers, 313, "NO_CONSUMERS", false},
		{amqp.ConnectionForced, 320, "CONNECTION_FORCED", true},
		{amqp.InvalidPath, 402, "INVALID_PATH", true},
		{amqp.AccessRefused, 403, "ACCESS_REFUSED", false},
		{amqp.NotFound, 404, "NOT_FOUND", false},
		{amqp.ResourceLocked, 405, "RESOURCE_LOCKED", false},
		{amqp.PreconditionFailed, 406, "PRECONDITION_FAILED", false},
		{amqp.FrameError, 501, "FRAME_ERROR", true},
		{amqp.SyntaxError, 502, "SYNTAX_ERROR", true},
		{amqp.CommandInvalid, 503, "COMMAND_INVALID", true},
		{amqp.ChannelError, 504, "CHANNEL_ERROR", true},
		{amqp.UnexpectedFrame, 505, "UNEXPECTED_FRAME", true},
		{amqp.ResourceError, 506, "RESOURCE_ERROR", true},
		{amqp.NotAllowed, 530, "NOT_ALLOWED", true},
		{amqp.NotImplemented, 540, "NOT_IMPLEMENTED", true},
		{amqp.InternalError, 541, "INTERNAL_ERROR", true},
		{599, 599, "UNKNOWN", false},
	} {
		if uint16(c.code) != c.value || c.code.Name() != c.name || c.code.Hard() != c.hard {
			t.Errorf("%d: got %s, hard %v; want %d %s, hard %v", c.code, c.code.Name(), c.code.Hard(), c.value, c.name, c.hard)
		}
	}
}

func TestReplyText(t *testing.T) {
	queue := amqp.Resource("queue", "q", "/")
	if got := amqp.Errorf(amqp.NotFound, "no %s", queue).ReplyText(); got != "NOT_FOUND - no queue 'q' in vhost '/'" {
		t.Errorf("got %q", got)
	}
	if got := (&amqp.Error{Code: amqp.InternalError}).ReplyText(); got != "INTERNAL_ERROR" {
		t.Errorf("without a reason: got %q", got)
	}
}

func TestReplyTextIsCutTo255Octets(t *testing.T) {
	const name = "NOT_FOUND - "
	for _, c := range []struct{ reason, want string }{
		{strings.Repeat("a", 243), strings.Repeat("a", 243)},
		{strings.Repeat("a", 244), strings.Repeat("a", 240) + "..."},
		{strings.Repeat("a", 239) + "é" + strings.Repeat("a", 100), strings.Repeat("a", 239) + "..."},
		{strings.Repeat("a", 238) + "é" + strings.Repeat("a", 100), strings.Repeat("a", 238) + "é..."},
		{strings.Repeat("a", 237) + "😀" + strings.Repeat("a", 100), strings.Repeat("a", 237) + "..."},
	} {
		got := amqp.Errorf(amqp.NotFound, "%s", c.reason).ReplyText()
		if got != name+c.want {
			t.Errorf("got  %q\nwant %q", got, name+c.want)
		}
		if len(got) > 255 || !utf8.ValidString(got) {
			t.Errorf("%d octets, valid UTF-8 %v", len(got), utf8.ValidString(got))
		}
	}
}

func TestErrorMatchesByCodeAndReason(t *testing.T) {
	err := fmt.Errorf("declare: %w", amqp.Errorf(amqp.NotFound, "no queue"))
	if !errors.Is(err, &amqp.Error{Code: amqp.NotFound}) || !errors.Is(err, amqp.Errorf(amqp.NotFound, "no queue")) {
		t.Error("does not match itself")
	}
	if errors.Is(err, &amqp.Error{Code: amqp.AccessRefused}) || errors.Is(err, amqp.Errorf(amqp.NotFound, "no exchange")) {
		t.Error("matches another")
	}
}

func TestErrorNamesMethodForLogs(t *testing.T) {
	err := &amqp.Error{Code: amqp.NotFound, Reason: "no queue", Method: amqp.BasicGetID}
	if got := err.Error(); got != "404 NOT_FOUND - no queue (basic.get)" {
		t.Errorf("got %q", got)
	}
}
