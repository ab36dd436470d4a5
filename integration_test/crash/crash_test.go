package crash_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/warren-mq/warren/amqptest"
)

var (
	rounds    = flag.Int("rounds", 3, "rounds of kill -9")
	cuts      = flag.Int("cuts", 0, "power cuts")
	seed      = flag.Uint64("seed", 0, "of everything that is random but time; 0 chooses one")
	program   = flag.String("broker", "", "`program` to test instead of the one built from this tree")
	raceBuild = flag.Bool("race-broker", false, "build the broker with the race detector")
)

// smallBrokerFolder, in the environment, makes this program a broker on that folder.
const smallBrokerFolder = "WARREN_CRASH_BROKER_FOLDER"

func TestMain(m *testing.M) {
	if os.Getenv(withoutSync) != "" {
		fmt.Fprintln(os.Stderr, execWithoutSync(os.Args[1:]))
		os.Exit(1)
	}
	if dir := os.Getenv(smallBrokerFolder); dir != "" {
		if err := runSmallBroker(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// runSmallBroker is a broker with a store of a few MiB.
func runSmallBroker(dir string) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	s, err := amqptest.Start(amqptest.WithDataDir(dir), amqptest.WithLog(os.Stderr))
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, `{"message":"Server startup complete","amqp":[%q],"management":%q}`+"\n", s.Addr, s.ManagementURL[len("http://"):])
	<-stop
	return s.Close()
}

// chooseSeed prints the seed, so that what a run did can be done again, as far as time allows.
func chooseSeed(t *testing.T) uint64 {
	n := *seed
	if n == 0 {
		n = rand.Uint64()
	}
	t.Logf("seed %d", n)
	return n
}

func brokers(t *testing.T) []brokerKind {
	t.Helper()
	if *program != "" {
		return []brokerKind{built(*program)}
	}
	path, err := buildBroker(t.TempDir(), *raceBuild)
	if err != nil {
		t.Fatal(err)
	}
	return []brokerKind{built(path), built(path), small()}
}

// TestKilledBrokerKeepsItsPromises kills brokers at random moments.
func TestKilledBrokerKeepsItsPromises(t *testing.T) {
	r := &report{t: t}
	began := time.Now()
	runKills(t, r, chooseSeed(t), *rounds, brokers(t))
	t.Logf("%s in %s", r.figures(), time.Since(began).Round(time.Second))
	if r.count() > 0 {
		t.Errorf("%d violations", r.count())
	}
	if r.confirmed.Load() == 0 || r.recovered.Load() == 0 {
		t.Error("nothing was confirmed or found again: the test shows nothing")
	}
}
