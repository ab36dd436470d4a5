package house_test

import (
	"slices"
	"strings"
	"testing"
)

// graph says which of our own folders a folder may import. Arrows point down only: an upward need is an interface that
// the lower package declares. "storage.Commit" stands for this one name of the package.
var graph = map[string]struct {
	may []string
	why string
}{
	"amqp":                      {nil, "it is the wire and knows nothing of brokers, so that everything can stand on it"},
	"storage":                   {nil, "it keeps keys, bytes and commit order; what they mean is for those above"},
	"dedup":                     {[]string{"amqp"}, "it is a set that forgets; whose set it is, and what keeps it, is for those above"},
	"exchange":                  {[]string{"amqp", "dedup"}, "it answers who gets a message, whatever a queue, a user or a disk is"},
	"queue":                     {[]string{"amqp", "dedup"}, "it is a state machine; its log and its consumers are interfaces of its own"},
	"schedule":                  {nil, "it keeps messages until a time; what they are is for those above"},
	"auth":                      {[]string{"amqp"}, "it knows users and permissions, not what they are permissions for"},
	"broker":                    {[]string{"amqp", "dedup", "exchange", "queue", "schedule", "auth", "storage"}, "it is the core behind both doors and must not know either"},
	"server":                    {[]string{"amqp", "exchange", "queue", "auth", "broker", "storage.Commit"}, "the AMQP door must not know the HTTP door, nor go past the broker to the disk"},
	"management":                {[]string{"amqp", "exchange", "queue", "auth", "broker"}, "the HTTP door must not know the AMQP door, nor go past the broker to the disk"},
	"amqptest":                  {[]string{"auth", "broker", "server", "management", "storage"}, "it only wires what cmd/warren wires"},
	"cmd/warren":                {[]string{"auth", "broker", "server", "management", "storage", "cmd/warren/load"}, "it only wires; AMQP's rules are below"},
	"cmd/warren/load":           {nil, "it is a client, of whatever broker"},
	"integration_test/bench":    {nil, "a mistake shared by the yardstick and the broker would hide in the measurement"},
	"integration_test/compat":   {nil, "a mistake shared by the comparing client and the broker would cancel itself out"},
	"integration_test/upstream": {nil, "it only counts results of a foreign test suite"},
	"integration_test/house":    {nil, "it reads files"},
	"integration_test":          {[]string{"amqp", "amqptest", "auth", "broker", "server", "management"}, "it tries the broker from outside, by its doors"},
	"amqp/internal/gen":         {nil, "it writes package amqp and cannot need it"},
}

func TestOwnImportsPointDown(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.isTest() {
			continue // a test may use what is above, such as amqptest
		}
		place := ""
		for folder := range graph {
			if (f.folder() == folder || strings.HasPrefix(f.folder(), folder+"/")) && len(folder) > len(place) {
				place = folder
			}
		}
		rule, ok := graph[place]
		if !ok {
			t.Errorf("%s: folder %s has no place in the graph of this test", f.path, f.folder())
			continue
		}
		for _, path := range f.imports() {
			target, ours := strings.CutPrefix(path, module+"/")
			if !ours || target == place || strings.HasPrefix(target, place+"/") {
				continue
			}
			if slices.Contains(rule.may, target) {
				continue
			}
			for _, name := range f.uses(target) {
				if !slices.Contains(rule.may, target+"."+name) {
					t.Errorf("%s uses %s.%s: %s", f.path, target, name, rule.why)
				}
			}
		}
	}
}

// fences say who alone may import something from outside of this module. A trailing slash takes in what is below.
var fences = []struct {
	path    string
	allowed []string // folders; those of integration_test are always allowed
	why     string
}{
	{"net/http", []string{"management", "cmd/warren", "amqptest"}, "HTTP is one of two doors"},
	{"github.com/prometheus/", []string{"management"}, "metrics are shown by the management API, from counters that cost nothing"},
	{"github.com/dgraph-io/", []string{"storage"}, "the disk is behind one package"},
	{"github.com/rs/zerolog", []string{"broker", "server", "management", "cmd/warren", "amqptest", "storage"}, "the packages below return errors; who has the context logs"},
	{"github.com/urfave/cli/", []string{"cmd/warren"}, "only the command reads flags"},
	{"github.com/BurntSushi/toml", []string{"cmd/warren"}, "only the command reads files with settings"},
	{"github.com/rabbitmq/amqp091-go", []string{"cmd/warren", "cmd/warren/load"}, "a client library belongs in tests, examples and what puts load on brokers"},
	{"github.com/HdrHistogram/", []string{"cmd/warren/load"}, "only load is measured in quantiles"},
	{"gonum.org/", []string{"cmd/warren/load"}, "only load is drawn"},
	{"github.com/pires/go-proxyproto", []string{"server"}, "who is at the other end of a connection is for the AMQP door to say"},
	{"reflect", []string{"management"}, "the wire is read and written by code that is generated or plain"},
	{"unsafe", nil, "a broker that strangers talk to keeps Go's guarantees"},
	{"log", []string{"management"}, "the one logger is zerolog's, and is handed in"},
	{"log/slog", []string{"management"}, "the one logger is zerolog's, and is handed in"},
	{"io/ioutil", nil, "it is long replaced"},
	{"math/rand", nil, "math/rand/v2 replaces it"},
}

func TestForeignImportsStayBehindTheirFences(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.isTest() || strings.HasPrefix(f.path, "integration_test/") {
			continue
		}
		for _, path := range f.imports() {
			for _, fence := range fences {
				if path != fence.path && !(strings.HasSuffix(fence.path, "/") && strings.HasPrefix(path, fence.path)) {
					continue
				}
				if !slices.Contains(fence.allowed, f.folder()) {
					t.Errorf("%s imports %s: %s", f.path, path, fence.why)
				}
			}
		}
	}
}

// noSockets are the packages that must run without a network and without a clock of their own.
var noSockets = []string{"amqp", "dedup", "exchange", "queue", "schedule", "storage"}

func TestPackagesBelowTheBrokerKnowNoSockets(t *testing.T) {
	for _, f := range goFiles(t) {
		if !f.isTest() && slices.Contains(noSockets, f.folder()) && slices.Contains(f.imports(), "net") {
			t.Errorf("%s imports net: sockets are for the doors", f.path)
		}
	}
}

func TestTimeIsAnArgument(t *testing.T) {
	clock := []string{"Now", "Since", "Until"}
	timers := []string{"Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"}
	forbidden := map[string][]string{
		"amqp": append(timers, clock...), "dedup": append(timers, clock...), "exchange": append(timers, clock...), "queue": append(timers, clock...), "auth": append(timers, clock...),
		"broker": clock, // its clock is handed in; it may wait for the disk
	}
	for _, f := range goFiles(t) {
		if f.isTest() {
			continue
		}
		for _, function := range forbidden[f.folder()] {
			for _, line := range f.calls(positions, "time", function) {
				t.Errorf("%s:%d calls time.%s: the time is handed in, so that tests can be the clock", f.path, line, function)
			}
		}
	}
}
