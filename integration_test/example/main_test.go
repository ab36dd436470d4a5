package main

import (
	"os"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/amqptest"
)

func TestExampleLeavesAnEmptyQueue(t *testing.T) {
	server := amqptest.NewServer(t)
	if err := run(server.URL); err != nil {
		t.Fatal(err)
	}
	conn, err := amqp.Dial(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	queue, err := ch.QueueDeclarePassive("orders", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if queue.Messages != 0 || queue.Consumers != 0 {
		t.Errorf("%d messages and %d consumers are left", queue.Messages, queue.Consumers)
	}
}

func TestReadmeShowsThisProgram(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "```go\n")
	shown, _, found := strings.Cut(rest, "```")
	if !found || shown != string(program) {
		t.Error("the first Go program in README.md is not main.go")
	}
}
