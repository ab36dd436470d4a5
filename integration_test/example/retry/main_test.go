package main

import (
	"os"
	"strings"
	"testing"

	"github.com/warren-mq/warren/amqptest"
)

func TestExampleEndsWithADeadJob(t *testing.T) {
	if err := run(amqptest.NewServer(t).URL); err != nil {
		t.Fatal(err)
	}
}

func TestRetryPageShowsThisProgram(t *testing.T) {
	page, err := os.ReadFile("../../../docs/retry.md")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```go\n")
	shown, _, found := strings.Cut(rest, "```")
	if !found || !strings.Contains(string(program), shown) {
		t.Error("the Go code in docs/retry.md is not part of main.go")
	}
}
