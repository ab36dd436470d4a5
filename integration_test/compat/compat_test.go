package compat

import (
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var (
	rabbitmq = flag.String("rabbitmq", "", "address of a live RabbitMQ 3.10.8 to compare with")
	update   = flag.Bool("update", false, "record the answers of -rabbitmq in testdata, run nothing else")
	explain  = flag.Bool("update-differences", false, "record Warren's answers for the cases in differences.txt")
)

// quiet is generous enough for two brokers and 32 cases on two cores; a case
// that differs is run again with more patience before it counts.
const (
	quiet   = 30 * time.Millisecond
	patient = 300 * time.Millisecond
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Cases wait far more than they work.
	parallel := true
	flag.Visit(func(f *flag.Flag) { parallel = parallel && f.Name != "test.parallel" })
	if parallel {
		flag.Set("test.parallel", "32")
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func readFiles(t *testing.T) []*File {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts in testdata: %v", err)
	}
	var files []*File
	for _, path := range paths {
		if filepath.Base(path) == differencesFile {
			continue
		}
		f, err := ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// token makes eight letters that tell apart the runs of all cases.
func token(area, name string, run int) string {
	return fmt.Sprintf("%08x", crc32.ChecksumIEEE(fmt.Appendf(nil, "%s/%s/%d/%d/%d", area, name, run, os.Getpid(), time.Now().UnixNano())))
}

func play(t *testing.T, addr string, area string, c *Case, patience time.Duration) []Step {
	t.Helper()
	steps, err := Broker{Addr: addr, Quiet: patience}.Run(c, token(area, c.Name, int(patience)))
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

// diff lists the steps whose answers differ, or nothing.
func diff(want, got []Step, wantName, gotName string) string {
	var b strings.Builder
	for i := range max(len(want), len(got)) {
		if i >= len(want) || i >= len(got) {
			fmt.Fprintf(&b, "%s has %d steps, %s has %d\n", wantName, len(want), gotName, len(got))
			break
		}
		if slices.Equal(want[i].Answers, got[i].Answers) {
			continue
		}
		fmt.Fprintf(&b, "%s\n", got[i].Line)
		for _, a := range want[i].Answers {
			fmt.Fprintf(&b, "    %-9s %s\n", wantName, a)
		}
		if len(want[i].Answers) == 0 {
			fmt.Fprintf(&b, "    %-9s (nothing)\n", wantName)
		}
		for _, a := range got[i].Answers {
			fmt.Fprintf(&b, "    %-9s %s\n", gotName, a)
		}
		if len(got[i].Answers) == 0 {
			fmt.Fprintf(&b, "    %-9s (nothing)\n", gotName)
		}
	}
	return b.String()
}

// TestWarrenAnswersAsRecorded plays every case against Warren and compares with
// the answers recorded from RabbitMQ or, for the explained differences, with
// those written down for Warren.
func TestWarrenAnswersAsRecorded(t *testing.T) {
	if *update || *explain || *rabbitmq != "" {
		t.Skip("recording or comparing live")
	}
	addr := warren(t)
	differences := readDifferences(t)
	for _, f := range readFiles(t) {
		t.Run(f.Area(), func(t *testing.T) {
			t.Parallel()
			for _, c := range f.Cases {
				t.Run(c.Name, func(t *testing.T) {
					t.Parallel()
					if c.Slow() && testing.Short() {
						t.Skip("slow")
					}
					want, who := c.Steps, "RabbitMQ"
					if d := differences.of(f, c); d != nil {
						want, who = d.Steps, "expected"
					}
					compare(t, addr, f, c, want, who)
				})
			}
		})
	}
	differences.checkUsed(t)
}

// compare runs the case, a second time with patience if it differs: chance may
// have put an answer on the wrong side of a pause, a defect stays.
func compare(t *testing.T, addr string, f *File, c *Case, want []Step, who string) []Step {
	t.Helper()
	got := play(t, addr, f.Area(), c, quiet)
	first := diff(want, got, who, "Warren")
	if first == "" {
		return got
	}
	got = play(t, addr, f.Area(), c, patient)
	if d := diff(want, got, who, "Warren"); d != "" {
		t.Errorf("\n%s", d)
	} else {
		t.Logf("unsteady, differed in its first run:\n%s", first)
	}
	return got
}

// TestWarrenAnswersAsRabbitMQ plays every case against both live brokers.
func TestWarrenAnswersAsRabbitMQ(t *testing.T) {
	if *rabbitmq == "" || *update || *explain {
		t.Skip("needs -rabbitmq ADDRESS")
	}
	addr := warren(t)
	differences := readDifferences(t)
	var sum summary
	t.Cleanup(func() { sum.print() })
	for _, f := range readFiles(t) {
		t.Run(f.Area(), func(t *testing.T) {
			t.Parallel()
			for _, c := range f.Cases {
				t.Run(c.Name, func(t *testing.T) {
					t.Parallel()
					reference := record(t, f, c)
					if d := diff(c.Steps, reference, "recorded", "RabbitMQ"); d != "" {
						t.Errorf("RabbitMQ no longer answers as recorded:\n%s", d)
					}
					d := differences.of(f, c)
					if d == nil {
						compare(t, addr, f, c, reference, "RabbitMQ")
						sum.add(t.Failed(), "", "")
						return
					}
					got := compare(t, addr, f, c, d.Steps, "expected")
					sum.add(t.Failed(), strings.Join(d.Remarks, "\n"), diff(reference, got, "RabbitMQ", "Warren"))
				})
			}
		})
	}
	differences.checkUsed(t)
}

// record plays a case against RabbitMQ until two runs agree, since its
// processes run beside each other and a loaded machine may reorder them.
func record(t *testing.T, f *File, c *Case) []Step {
	t.Helper()
	previous := play(t, *rabbitmq, f.Area(), c, quiet)
	if diff(c.Steps, previous, "recorded", "RabbitMQ") == "" {
		return previous
	}
	for range 4 {
		next := play(t, *rabbitmq, f.Area(), c, patient)
		if diff(previous, next, "", "") == "" {
			return next
		}
		previous = next
	}
	t.Fatal("RabbitMQ answers differently in every run")
	return nil
}

// TestUpdate records RabbitMQ's answers, with -update -rabbitmq ADDRESS.
func TestUpdate(t *testing.T) {
	if !*update || *rabbitmq == "" {
		t.Skip("records with -update -rabbitmq ADDRESS")
	}
	files := readFiles(t)
	t.Run("record", func(t *testing.T) {
		for _, f := range files {
			for _, c := range f.Cases {
				t.Run(f.Area()+"/"+c.Name, func(t *testing.T) {
					t.Parallel()
					steps := record(t, f, c)
					if d := diff(c.Steps, steps, "before", "now"); d != "" {
						t.Logf("changed:\n%s", d)
					}
					c.Steps = steps
				})
			}
		}
	})
	for _, f := range files {
		if err := os.WriteFile(f.Path, []byte(f.String()), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// summary counts the outcome of a live comparison and prints each explained
// difference with its reason.
type summary struct {
	mu                      sync.Mutex
	same, explained, failed int
	text                    strings.Builder
}

func (s *summary) add(failed bool, reason, difference string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case failed:
		s.failed++
	case reason == "":
		s.same++
	default:
		s.explained++
		fmt.Fprintf(&s.text, "%s\n%s\n", reason, difference)
	}
}

func (s *summary) print() {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Printf("explained differences:\n\n%s%d cases: %d alike, %d explained, %d unexplained\n",
		s.text.String(), s.same+s.explained+s.failed, s.same, s.explained, s.failed)
}
