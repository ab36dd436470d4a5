package crash_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// brokerKind is how a broker is started.
type brokerKind struct {
	name    string
	command func(dir string) *exec.Cmd
}

// built is the program that users run.
func built(program string) brokerKind {
	return brokerKind{"warren", func(dir string) *exec.Cmd {
		return exec.Command(program, "server", "--data-dir", dir, "--listen", "127.0.0.1:0", "--management", "127.0.0.1:0",
			"--log-format", "json", "--log-level", "info")
	}}
}

// small is the same broker with a small store, so that segments roll, chunks page and space is collected within
// seconds. It is this program, run again.
func small() brokerKind {
	return brokerKind{"small", func(dir string) *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), smallBrokerFolder+"="+dir)
		return cmd
	}}
}

// process is a running broker.
type process struct {
	kind       string
	cmd        *exec.Cmd
	amqp, http string        // addresses, once ready
	ready      chan struct{} // closed when both are known
	exited     chan struct{} // closed when the process has ended

	mu   sync.Mutex
	tail []string // the last lines of its log; guarded by mu
}

// keptLines of a broker's log are shown when something is wrong.
const keptLines = 2000

func startProcess(kind brokerKind, dir string) (*process, error) {
	p := &process{
		kind: kind.name, cmd: kind.command(dir),
		ready: make(chan struct{}), exited: make(chan struct{}),
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // none is left when the test is killed
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the process
		defer close(p.exited)
		p.follow(stderr)
		_ = p.cmd.Wait() // how it ended is told by its log
	}()
	return p, nil
}

// follow keeps the end of the log and finds the addresses in it.
func (p *process) follow(log io.Reader) {
	lines := bufio.NewReader(log)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			p.keep(line)
		}
		if err != nil {
			return
		}
	}
}

func (p *process) keep(line string) {
	p.mu.Lock()
	if p.tail = append(p.tail, line); len(p.tail) > keptLines {
		p.tail = p.tail[1:]
	}
	p.mu.Unlock()
	var e struct {
		Message, Management string
		AMQP                []string
	}
	if p.amqp == "" && strings.Contains(line, "Server startup complete") && json.Unmarshal([]byte(line), &e) == nil && len(e.AMQP) == 1 {
		p.amqp, p.http = e.AMQP[0], e.Management
		close(p.ready)
	}
}

// awaitReady waits until clients can come.
func (p *process) awaitReady() error {
	select {
	case <-p.ready:
		return nil
	case <-p.exited:
		return fmt.Errorf("the broker ended by itself:\n%s", p.log())
	case <-time.After(patience):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // for its stacks
		<-p.exited
		return fmt.Errorf("the broker is not ready after %s:\n%s", patience, p.log())
	}
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.tail, "")
}

// kill ends the process as a crash would. It says whether it had ended by itself.
func (p *process) kill() (dead bool) {
	select {
	case <-p.exited:
		return true
	default:
	}
	_ = p.cmd.Process.Kill() // it may end this moment
	<-p.exited
	return false
}

// stop ends the process in good order.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // as in kill
	select {
	case <-p.exited:
	case <-time.After(patience):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT)
		<-p.exited
		return fmt.Errorf("the broker does not stop:\n%s", p.log())
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("the broker stopped with exit code %d:\n%s", code, p.log())
	}
	return nil
}

// buildBroker compiles the program into dir.
func buildBroker(dir string, race bool) (program string, err error) {
	program = filepath.Join(dir, "warren")
	args := []string{"build", "-o", program}
	if race {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "github.com/warren-mq/warren/cmd/warren")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return program, nil
}
