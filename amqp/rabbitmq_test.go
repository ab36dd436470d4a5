package amqp_test

import (
	"encoding/hex"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/warren-mq/warren/amqp"
)

// TestCodecAgreesWithRabbitMQ replays what RabbitMQ 3.10.8 made of random input. Where it crashes, Warren has an error of
// its own: SYNTAX_ERROR for arguments, INTERNAL_ERROR for properties.
func TestCodecAgreesWithRabbitMQ(t *testing.T) {
	file, err := os.ReadFile("testdata/rabbitmq.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for line := range strings.Lines(string(file)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		cases++
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		var got, want string
		switch kind {
		case "method":
			words := strings.SplitN(rest, " ", 4)
			got, want = recodeMethod(t, words[0], words[1], octets(t, words[2])), words[3]
		case "table":
			input, verdict, _ := strings.Cut(rest, " ")
			got, want = recodeTable(t, octets(t, input)), verdict
		case "properties":
			input, verdict, _ := strings.Cut(rest, " ")
			got, want = recodeProperties(t, octets(t, input)), verdict
		}
		if got != want {
			t.Errorf("%sgot  %s\nwant %s", line, got, want)
		}
	}
	if cases < 300 {
		t.Errorf("only %d cases", cases)
	}
}

func octets(t *testing.T, s string) []byte {
	if s == "-" {
		return nil
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func verdict(b []byte) string {
	if len(b) == 0 {
		return "ok -"
	}
	return "ok " + hex.EncodeToString(b)
}

func recodeMethod(t *testing.T, class, method string, args []byte) string {
	c, _ := strconv.Atoi(class)
	n, _ := strconv.Atoi(method)
	m, ok := amqp.NewMethod(amqp.MethodID(c<<16 | n))
	if !ok {
		t.Fatalf("no method %s.%s", class, method)
	}
	err := m.Decode(args)
	if err == nil {
		return verdict(m.Append(nil)[4:])
	}
	if errors.Is(err, amqp.ErrTable) {
		return "crash"
	}
	e := err.(*amqp.Error)
	name := "-"
	if e.Method != 0 {
		name = e.Method.String()
	}
	return "error " + name + " " + e.Reason
}

func recodeTable(t *testing.T, body []byte) string {
	table, err := amqp.DecodeTableBody(body)
	if err == nil {
		return verdict(amqp.AppendTableBody(nil, table))
	}
	if !errors.Is(err, amqp.ErrTable) {
		t.Error(err)
	}
	return "crash"
}

func recodeProperties(t *testing.T, wire []byte) string {
	var p amqp.Properties
	if err := p.Decode(wire); err != nil {
		wantError(t, err, "INTERNAL_ERROR")
		return "crash"
	}
	headers, err := p.Headers.Decode()
	if err != nil {
		t.Error(err)
	}
	p.Headers = amqp.AppendTableBody(nil, headers)
	p.Flags &^= 3 // stand for nothing
	return verdict(p.Append(nil))
}
