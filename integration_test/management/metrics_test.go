package management_test

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// leftOutMetrics are those of RabbitMQ that there are none of here, by the beginning of their names.
var leftOutMetrics = map[string]string{
	"rabbitmq_erlang_scheduler_":                   erlang,
	"rabbitmq_erlang_net_ticktime_seconds":         erlang,
	"rabbitmq_io_":                                 erlang,
	"rabbitmq_schema_db_":                          erlang,
	"rabbitmq_msg_store_":                          erlang,
	"rabbitmq_queue_index_":                        erlang,
	"rabbitmq_raft_":                               erlang,
	"rabbitmq_queue_process_reductions_total":      erlang,
	"rabbitmq_channel_process_reductions_total":    erlang,
	"rabbitmq_connection_process_reductions_total": erlang,
	"rabbitmq_queue_disk_":                         "the store writes groups, not messages",
	"rabbitmq_queue_messages_persistent":           "not counted",
	"rabbitmq_queue_consumer_capacity":             "a sum of shares says nothing",
	"rabbitmq_queue_consumer_utilisation":          "a sum of shares says nothing",
	"rabbitmq_queue_head_message_timestamp":        "a sum of times says nothing",
}

// ownMetrics are those that RabbitMQ cannot have, and why.
var ownMetrics = map[string]string{
	"rabbitmq_global_messages_dead_lettered_duplicate_total counter dead_letter_strategy,queue_type": "x-dedup-dead-letter",
}

const metricsFile = "metrics.txt"

// families lists the metrics of a broker with their types and the names of their labels, one in a line.
func families(t *testing.T, url string) []string {
	t.Helper()
	a := (&target{api: url}).do(t, call{Path: "/metrics", User: "-"})
	if a.Status != http.StatusOK || !strings.HasPrefix(a.Headers["Content-Type"], "text/plain; version=0.0.4") {
		t.Fatalf("GET %s/metrics: %d, %s", url, a.Status, a.Headers["Content-Type"])
	}
	found := make(map[string]bool)
	types := make(map[string]string)
	for line := range strings.Lines(a.Body) {
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "# TYPE rabbitmq_"):
			types[words[2]] = words[3]
		case strings.HasPrefix(line, "rabbitmq_"):
			name, rest, _ := strings.Cut(line, "{")
			if rest == "" {
				name, _, _ = strings.Cut(line, " ")
			}
			found[strings.TrimSpace(name+" "+types[name]+" "+strings.Join(labels(rest), ","))] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// labels returns the sorted names in `a="x",b="y"} 1`.
func labels(text string) (names []string) {
	for {
		name, rest, ok := strings.Cut(text, `="`)
		if !ok {
			slices.Sort(names)
			return names
		}
		names = append(names, strings.TrimLeft(name, ", "))
		_, text, _ = strings.Cut(rest, `"`)
	}
}

func compareMetrics(t *testing.T, want, got []string) {
	for _, line := range want {
		prefix := ""
		for p := range leftOutMetrics {
			if strings.HasPrefix(line, p) {
				prefix = p
			}
		}
		if there := slices.Contains(got, line); there == (prefix != "") {
			t.Errorf("%s: there: %t, listed as left out: %t", line, there, prefix != "")
		}
	}
	for _, line := range got {
		if _, own := ownMetrics[line]; own == slices.Contains(want, line) {
			t.Errorf("%s: RabbitMQ has no such metric, or this is not our own: %t", line, own)
		}
	}
}

func readMetrics(t *testing.T) []string {
	file, err := os.ReadFile(filepath.Join("testdata", metricsFile))
	check(t, err)
	return strings.Split(strings.TrimSpace(string(file)), "\n")
}

func writeMetrics(t *testing.T, lines []string) {
	check(t, os.WriteFile(filepath.Join("testdata", metricsFile), []byte(strings.Join(lines, "\n")+"\n"), 0o644))
}
