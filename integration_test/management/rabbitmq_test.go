package management_test

import "testing"

// recording is all that is compared.
type recording struct {
	views    map[string]any
	refusals []exchangeOfWords
	metrics  []string
}

// TestAnswersAreRabbitMQs builds the scenario on Warren and compares with what RabbitMQ 3.10.8 showed of it, or shows
// now: names and types of all fields, the values of those that do not depend on time and machine, refusals, metrics.
func TestAnswersAreRabbitMQs(t *testing.T) {
	if *update {
		t.Skip("recording")
	}
	var want recording
	if *live {
		want = record(t)
	} else {
		want = recording{views: readViews(t), refusals: readRefusals(t), metrics: readMetrics(t)}
	}
	s := play(t, warren(t))
	t.Run("objects", func(t *testing.T) { compareViews(t, s, want.views) })
	t.Run("refusals", func(t *testing.T) { compareRefusals(t, s, want.refusals) })
	t.Run("metrics", func(t *testing.T) { compareMetrics(t, want.metrics, families(t, s.target.api)) })
}

// TestRecord writes down what a RabbitMQ shows.
func TestRecord(t *testing.T) {
	if !*update {
		t.Skip("not recording")
	}
	r := record(t)
	for _, v := range views {
		writeView(t, v, r.views[v.name])
	}
	writeRefusals(t, r.refusals)
	writeMetrics(t, r.metrics)
}

// record builds the scenario on the RabbitMQ that the flags name.
func record(t *testing.T) recording {
	t.Helper()
	s := play(t, rabbit(*rabbitmqAMQP, *rabbitmqManagement))
	return recording{views: s.settled(t), refusals: s.refuse(t), metrics: families(t, *rabbitmqPrometheus)}
}
