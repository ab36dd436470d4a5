package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBenchPrintsTheSumAndWritesFiles(t *testing.T) {
	r := runServer(t, "--management", "none")
	uri := "amqp://guest:guest@" + r.amqp + "/"
	dir := t.TempDir()
	figures, picture := filepath.Join(dir, "figures.json"), filepath.Join(dir, "picture.svg")
	code, stdout, stderr := once("bench", "--uri", uri, "--count", "300", "--duration", "0", "--confirm", "50", "--persistent", "--size", "1KiB",
		"--queue-type", "quorum", "--argument", "x-delivery-limit=3", "--json", figures, "--plot", picture)
	if code != 0 {
		t.Fatalf("exit %d, %s", code, stderr)
	}
	for _, want := range []string{"1 producers, 1 consumers, 1 queues, 1024 B, persistent, confirms (window 50)", "published          300",
		"confirmed          300", "received           300", "p99.9", "to delivery", "to confirm"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the sum does not say %q:\n%s", want, stdout)
		}
	}
	text, err := os.ReadFile(figures)
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Settings struct{ Arguments map[string]any }
		Counts   struct{ Received int }
	}
	if err := json.Unmarshal(text, &f); err != nil || f.Counts.Received != 300 {
		t.Errorf("%+v, %v", f, err)
	}
	if a := f.Settings.Arguments; a["x-queue-type"] != "quorum" || a["x-delivery-limit"] != 3.0 {
		t.Errorf("arguments are %v", a)
	}
	if text, err := os.ReadFile(picture); err != nil || !strings.Contains(string(text), "<svg") {
		t.Errorf("%.100s, %v", text, err)
	}
}

func TestBenchTellsItsProgress(t *testing.T) {
	r := runServer(t, "--management", "none")
	code, stdout, stderr := once("bench", "--uri", "amqp://guest:guest@"+r.amqp+"/", "--duration", "200ms", "--interval", "20ms", "--json", "-")
	if code != 0 || !strings.Contains(stderr, "published") || !strings.Contains(stderr, "latency p50") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	if !json.Valid([]byte(stdout)) {
		t.Errorf("--json - prints %s", stdout)
	}
}

func TestBenchOpensItsFilesFirst(t *testing.T) {
	for _, flag := range []string{"--json", "--plot"} {
		code, stdout, stderr := once("bench", "--uri", "amqp://"+closedPort(t)+"/", flag, filepath.Join(t.TempDir(), "no", "file"))
		if code != 1 || stdout != "" || !strings.Contains(stderr, "no such file") {
			t.Errorf("%s: exit %d, %s", flag, code, stderr)
		}
	}
}

func TestDurationsOfTheSumAreReadable(t *testing.T) {
	for us, want := range map[int64]string{7: "0.01 ms", 1234: "1.23 ms", 9_994_000: "9994.00 ms", 12_345_678: "12.35 s", 3_600_000_000: "3600.00 s"} {
		if got := lasting(us); got != want {
			t.Errorf("%d µs are printed as %s, not %s", us, got, want)
		}
	}
}

func TestBenchRefusesWhatItCannotDo(t *testing.T) {
	tests := []struct{ want, args string }{
		{`--size: "big" is not a size`, "--size big"},
		{`--argument: "x" is not NAME=VALUE`, "--argument x"},
		{"--uri: ", "--uri http://x/"},
		{"connecting to amqp://127.0.0.1:", "--uri amqp://guest:secret@" + closedPort(t) + "/"},
		{"--ack-every: ", "--ack-every 0"},
		{`unexpected argument "now"`, "now"},
		{"unknown flag --producer", "--producer 2"},
	}
	for _, test := range tests {
		code, _, stderr := once(append([]string{"bench"}, strings.Fields(test.args)...)...)
		if code != 1 || !strings.Contains(stderr, test.want) || strings.Contains(stderr, "secret") {
			t.Errorf("bench %s: exit %d, %s", test.args, code, stderr)
		}
	}
}
