// Package management_test compares the management API with that of a real RabbitMQ 3.10.8. Everything in testdata was
// recorded from one; given a live one, the tests compare with that instead:
//
//	flags=$(./rabbitmq.sh fresh)
//	go test . $flags          # compare live
//	go test . $flags -update  # record
//	./rabbitmq.sh down
//
// A comparison wants a node without any history, so every run needs a fresh one.
package management_test

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

var (
	rabbitmqAMQP       = flag.String("rabbitmq", "", "host:port of a fresh RabbitMQ 3.10.8 to compare with")
	rabbitmqManagement = flag.String("rabbitmq-management", "", "its management API, http://host:port")
	rabbitmqPrometheus = flag.String("rabbitmq-prometheus", "", "its metrics, http://host:port")
	update             = flag.Bool("update", false, "record its answers in testdata, run nothing else")
	live               = new(bool) // whether the flags above name one
)

func TestMain(m *testing.M) {
	flag.Parse()
	*live = *rabbitmqAMQP != "" && *rabbitmqManagement != "" && *rabbitmqPrometheus != ""
	if *update && !*live {
		println("-update needs -rabbitmq, -rabbitmq-management and -rabbitmq-prometheus")
		os.Exit(2)
	}
	goleak.VerifyTestMain(m)
}
