package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// resolved reads a command line, the environment and the file, and starts nothing.
func resolved(t *testing.T, args ...string) (*settings, error) {
	t.Helper()
	set := newSettings()
	app := &cli.App{
		Flags: set.flags(), Writer: io.Discard, OnUsageError: usageError(set),
		ExitErrHandler: func(*cli.Context, error) {},
		Action:         func(*cli.Context) error { return set.resolve() },
	}
	return set, app.Run(append([]string{"warren"}, args...))
}

// fileWith writes a configuration file.
func fileWith(t *testing.T, content string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "warren.toml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sample has for each setting a value that is not its default, as a user would write it, and the same as TOML.
var sample = map[string]struct{ word, toml string }{
	"data-dir":              {"/var/lib/x", `"/var/lib/x"`},
	"node-name":             {"rabbit@n7", `"rabbit@n7"`},
	"log-level":             {"debug", `"debug"`},
	"log-format":            {"json", `"json"`},
	"shutdown-timeout":      {"1m30s", `"1m30s"`},
	"listen":                {"127.0.0.1:1,[::1]:2", `["127.0.0.1:1", "[::1]:2"]`},
	"management":            {"none", `"none"`},
	"proxy-protocol":        {"true", `true`},
	"durability":            {"os", `"os"`},
	"salvage":               {"true", `true`},
	"default-user":          {"alice", `"alice"`},
	"default-pass":          {"s3cret", `"s3cret"`},
	"default-vhost":         {"prod", `"prod"`},
	"loopback-users":        {"none", `[]`},
	"product":               {"Warren", `"Warren"`},
	"product-version":       {"4.1.0", `"4.1.0"`},
	"heartbeat":             {"30s", `"30s"`},
	"frame-max":             {"8192", `8192`},
	"channel-max":           {"0", `0`},
	"handshake-timeout":     {"500ms", `"500ms"`},
	"max-message-size":      {"16MiB", `"16MiB"`},
	"consumer-timeout":      {"2h", `"2h"`},
	"memory-high-watermark": {"2GiB", `"2GiB"`},
	"disk-free-limit":       {"1.5", `1.5`},
}

func TestEverySettingIsFlagVariableAndKey(t *testing.T) {
	for _, name := range newSettings().names() {
		if name == "config" {
			continue // it says where the file is
		}
		s, ok := sample[name]
		if !ok {
			t.Errorf("%s has no sample in this test", name)
			continue
		}
		ways := map[string]func(t *testing.T) []string{
			"flag": func(*testing.T) []string { return []string{"--" + name + "=" + s.word} },
			"variable": func(t *testing.T) []string {
				t.Setenv(newSettings().find(name).envVar(), s.word)
				return nil
			},
			"key": func(t *testing.T) []string {
				return []string{"--config", fileWith(t, fmt.Sprintf("%s = %s\n", name, s.toml))}
			},
		}
		for way, args := range ways {
			t.Run(name+"/"+way, func(t *testing.T) {
				set, err := resolved(t, args(t)...)
				if err != nil {
					t.Fatal(err)
				}
				if got := set.find(name).value.text(); got != s.word {
					t.Errorf("%s instead of %s", got, s.word)
				}
				if s.word == newSettings().find(name).value.text() {
					t.Errorf("the sample %s is the default", s.word)
				}
			})
		}
	}
}

func TestFlagWinsOverVariableWinsOverFileWinsOverDefault(t *testing.T) {
	file := fileWith(t, "heartbeat = \"3s\"\nnode-name = \"rabbit@file\"\nframe-max = 5000\n")
	t.Setenv("WARREN_CONFIG", file)
	t.Setenv("WARREN_HEARTBEAT", "2s")
	t.Setenv("WARREN_NODE_NAME", "rabbit@env")
	set, err := resolved(t, "--heartbeat", "1s")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"heartbeat": "1s", "node-name": "rabbit@env", "frame-max": "5000", "channel-max": "2047",
	} {
		if got := set.find(name).value.text(); got != want {
			t.Errorf("%s is %s instead of %s", name, got, want)
		}
	}
}

func TestEmptyVariableCountsAsNotGiven(t *testing.T) {
	t.Setenv("WARREN_LISTEN", "")
	set, err := resolved(t)
	if err != nil {
		t.Fatal(err)
	}
	if got := set.find("listen").value.text(); got != ":5672" {
		t.Errorf("listen is %s", got)
	}
}

func TestRepeatedListenReplacesTheDefault(t *testing.T) {
	set, err := resolved(t, "--listen", "127.0.0.1:1", "--listen", ":2")
	if err != nil {
		t.Fatal(err)
	}
	if got := set.config.listen; !slices.Equal(got, []string{"127.0.0.1:1", ":2"}) {
		t.Errorf("listen is %q", got)
	}
}

func TestBadValuesAreNamedWithWhereTheyStand(t *testing.T) {
	for _, c := range []struct {
		args []string
		env  [2]string
		file string
		want string // with FILE for the file's path
	}{
		{args: []string{"--heartbeat", "60"}, want: `--heartbeat: "60" is not a time with a unit, such as 500ms or 1m30s`},
		{args: []string{"--heartbeat", "1500ms"}, want: `--heartbeat: "1500ms" is not a whole number of seconds up to 65535`},
		{args: []string{"--heartbeat", "-1s"}, want: `--heartbeat: "-1s" is out of range`},
		{args: []string{"--frame-max", "4095"}, want: `--frame-max: "4095" is not a whole number from 4096 to 2147483647`},
		{args: []string{"--channel-max", "65536"}, want: `--channel-max: "65536" is not a whole number from 0 to 65535`},
		{args: []string{"--listen", "5672"}, want: `--listen: "5672" is not HOST:PORT, such as 127.0.0.1:5672, [::1]:5672 or :5672`},
		{args: []string{"--listen", ":70000"}, want: `--listen: ":70000" has no port from 0 to 65535`},
		{args: []string{"--listen", ","}, want: `--listen: at least one HOST:PORT is needed`},
		{args: []string{"--management", "off"}, want: `--management: "off" is not HOST:PORT, such as 127.0.0.1:5672, [::1]:5672 or :5672, nor none`},
		{args: []string{"--log-level", "loud"}, want: `--log-level: "loud" is not one of trace, debug, info, warn, error`},
		{args: []string{"--max-message-size", "1M"}, want: `--max-message-size: "1M" is not a size, such as 1000000, 50MB or 128MiB`},
		{args: []string{"--max-message-size", "99999999999GiB"}, want: `--max-message-size: "99999999999GiB" is not a size, such as 1000000, 50MB or 128MiB`},
		{args: []string{"--max-message-size", "1GiB"}, want: `--max-message-size: "1GiB" is not between 1B and 128MiB`},
		{args: []string{"--memory-high-watermark", "-0.5"}, want: `--memory-high-watermark: "-0.5" is not a fraction above 0.0`},
		{args: []string{"--memory-high-watermark", "half"}, want: `--memory-high-watermark: "half" is not a size, such as 1000000, 50MB or 128MiB, nor a fraction such as 0.4, nor none`},
		{args: []string{"--data-dir", ""}, want: `--data-dir: must not be empty`},
		{args: []string{"--proxy-protocol=maybe"}, want: `--proxy-protocol: "maybe" is neither true nor false`},
		{args: []string{"--datadir", "x"}, want: `unknown flag --datadir (did you mean --data-dir?); see warren --help`},
		{args: []string{"--xyzzy"}, want: `unknown flag --xyzzy; see warren --help`},
		{args: []string{"--listen"}, want: `flag needs an argument: -listen; see warren --help`},
		{env: [2]string{"WARREN_LOG_FORMAT", "xml"}, want: `WARREN_LOG_FORMAT: "xml" is not one of console, json`},
		{file: "\n\nlog-level = \"loud\"\n", want: `FILE:3: log-level: "loud" is not one of trace, debug, info, warn, error`},
		{file: "# comment\nlog_level = \"info\"\n", want: `FILE:2: unknown key "log_level" (did you mean "log-level"?)`},
		{file: "\"node name\" = 1\n", want: `FILE:1: unknown key "node name" (did you mean "node-name"?)`},
		{file: "config = \"other.toml\"\n", want: `FILE:1: unknown key "config"`},
		{file: "heartbeat = 60\n", want: `FILE:1: heartbeat: "60" is not a time with a unit, such as 500ms or 1m30s`},
		{file: "[listen]\ntcp = 5672\n", want: `FILE:1: listen: is a table; settings are plain keys`},
		{file: "heartbeat = 2024-01-01\n", want: `FILE:1: heartbeat: dates and times mean nothing here`},
		{file: "listen = [[\":1\"]]\n", want: `FILE:1: listen: arrays in arrays mean nothing here`},
		{file: "a = 1\nheartbeat = 60\nb = 2\n", want: "FILE:1: unknown key \"a\"\nFILE:3: unknown key \"b\""},
		{file: "heartbeat = \"60s\nlisten = 1", want: `FILE:1: strings cannot contain newlines`},
	} {
		t.Run(strings.Join(append(c.args, c.env[0], c.file), " "), func(t *testing.T) {
			want := c.want
			if c.env[0] != "" {
				t.Setenv(c.env[0], c.env[1])
			}
			if c.file != "" {
				path := fileWith(t, c.file)
				c.args = []string{"--config", path}
				want = strings.ReplaceAll(want, "FILE", path)
			}
			if _, err := resolved(t, c.args...); err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestAllFaultsAreReportedAtOnce(t *testing.T) {
	t.Setenv("WARREN_CHANNEL_MAX", "many")
	_, err := resolved(t, "--heartbeat", "60", "--log-level", "loud")
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("got %v", err)
	}
}

func TestMissingConfigurationFileIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "absent.toml")
	_, err := resolved(t, "--config", path)
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v", err)
	}
}

func TestFileAcceptsCommentsAndEveryWayToWriteAFraction(t *testing.T) {
	set, err := resolved(t, "--config", fileWith(t, "# a comment\nmemory-high-watermark = 2.0 # twice\nlisten = ':1'\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := set.config.memoryHighWatermark; got.of(100) != 200 {
		t.Errorf("the watermark of 100 bytes is %d", got.of(100))
	}
}

func TestMistypedVariablesAreNoticedAndThoseOfKubernetesAreNot(t *testing.T) {
	t.Setenv("WARREN_LISTN", ":1")
	for _, name := range []string{"WARREN_SERVICE_HOST", "WARREN_SERVICE_PORT", "WARREN_PORT", "WARREN_PORT_5672_TCP",
		"WARREN_PORT_5672_TCP_PROTO", "WARREN_PORT_5672_TCP_PORT", "WARREN_PORT_5672_TCP_ADDR"} {
		t.Setenv(name, "x")
	}
	stray := newSettings().strayVariables()
	if !slices.Equal(stray, []string{"WARREN_LISTN (did you mean WARREN_LISTEN?)"}) {
		t.Errorf("stray: %q", stray)
	}
}

func TestSettingNames(t *testing.T) {
	legal := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	seen := map[string]bool{}
	for _, name := range newSettings().names() {
		if !legal.MatchString(name) {
			t.Errorf("%q is not lower case words with dashes", name)
		}
		if seen[name] {
			t.Errorf("%s is there twice", name)
		}
		seen[name] = true
		if slices.Contains([]string{"port", "service-host", "service-port"}, name) {
			t.Errorf("%s clashes with a variable that Kubernetes sets for a Service called warren", name)
		}
	}
}

func TestSizes(t *testing.T) {
	for word, want := range map[string]uint64{
		"0": 0, "1": 1, "17B": 17, "1kB": 1000, "1KB": 1000, "1KiB": 1024, "50MB": 50e6, "128MiB": 128 << 20, "2GB": 2e9, "3GiB": 3 << 30,
	} {
		if got, err := parseSize(word); err != nil || got != want {
			t.Errorf("%s: %d, %v", word, got, err)
		}
	}
	for _, word := range []string{"", "B", "-1", "1.5GiB", "1 MB", "1k", "0x10", "1e6", "MiB1"} {
		if got, err := parseSize(word); err == nil {
			t.Errorf("%q was read as %d", word, got)
		}
	}
}
