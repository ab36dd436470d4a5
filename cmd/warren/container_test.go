package main

import (
	"encoding/json"
	"net"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v2"
)

const top = "../.." // the folder of Dockerfile, docker-compose.yml and README.md

func readTop(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(top, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// instruction is a line of a Dockerfile, continuations joined.
type instruction struct{ name, args string }

func dockerfile(t *testing.T) (all []instruction) {
	t.Helper()
	text := regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(readTop(t, "Dockerfile"), "")
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.Lines(text) {
		if name, args, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			all = append(all, instruction{name, strings.TrimSpace(args)})
		}
	}
	return all
}

// image is what the Dockerfile's last stage makes.
type image struct {
	env                 map[string]string
	ports, files        []string
	user, volume        string
	entrypoint, command []string
	health              []string
}

func lastStage(t *testing.T) image {
	im := image{env: map[string]string{}}
	all := dockerfile(t)
	for i, in := range all {
		if in.name == "FROM" && !slices.ContainsFunc(all[i+1:], func(in instruction) bool { return in.name == "FROM" }) {
			all = all[i+1:]
			break
		}
	}
	list := func(args string) (words []string) {
		if err := json.Unmarshal([]byte(args), &words); err != nil {
			t.Errorf("%s is not in the form that needs no shell, which the image does not have", args)
		}
		return words
	}
	for _, in := range all {
		words := strings.Fields(in.args)
		switch in.name {
		case "ENV":
			for _, word := range words {
				name, value, _ := strings.Cut(word, "=")
				im.env[name] = value
			}
		case "EXPOSE":
			im.ports = append(im.ports, words...)
		case "VOLUME":
			im.volume = in.args
		case "USER":
			im.user = in.args
		case "ENTRYPOINT":
			im.entrypoint = list(in.args)
		case "CMD":
			im.command = list(in.args)
		case "HEALTHCHECK":
			_, args, _ := strings.Cut(in.args, "CMD ")
			im.health = list(args)
		case "COPY":
			im.files = append(im.files, words[len(words)-1])
		case "RUN":
			t.Errorf("RUN %s: the last stage has no shell", in.args)
		}
	}
	return im
}

func TestImageCopiesWhatIsThere(t *testing.T) {
	ignored := strings.Fields(readTop(t, ".dockerignore"))
	for _, in := range dockerfile(t) {
		words := strings.Fields(in.args)
		if in.name != "COPY" || strings.HasPrefix(words[0], "--from=") {
			continue
		}
		for _, source := range words[:len(words)-1] {
			if _, err := os.Stat(filepath.Join(top, source)); err != nil {
				t.Errorf("COPY %s: %v", in.args, err)
			}
			if slices.Contains(ignored, source) {
				t.Errorf("COPY %s: .dockerignore leaves %s out", in.args, source)
			}
		}
	}
	for _, dir := range []string{"cmd", "server", "amqp", "exchange", "queue", "storage", "auth", "broker", "management"} {
		if slices.Contains(ignored, dir) {
			t.Errorf(".dockerignore leaves out %s, which the build needs", dir)
		}
	}
}

func TestImageIsBuiltWithTheModulesGo(t *testing.T) {
	wanted := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(readTop(t, "go.mod"))
	if wanted == nil {
		t.Fatal("go.mod names no version of Go")
	}
	if first := dockerfile(t)[0]; first.name != "FROM" || !strings.HasPrefix(first.args, "golang:"+wanted[1]) {
		t.Errorf("the first stage is %s %s, go.mod says %s", first.name, first.args, wanted[1])
	}
}

func TestImageRunsThisProgramAsNobodySpecial(t *testing.T) {
	im := lastStage(t)
	if !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(im.user) {
		t.Errorf("USER %s is not a numeric user and group above 0, which Kubernetes can check", im.user)
	}
	if len(im.entrypoint) != 1 || !slices.Contains(im.files, im.entrypoint[0]) {
		t.Errorf("ENTRYPOINT %q is not what COPY brings: %q", im.entrypoint, im.files)
	}
	if !slices.Equal(im.command, []string{"server"}) {
		t.Errorf("CMD is %q", im.command)
	}
	if len(im.health) < 2 || im.health[0] != im.entrypoint[0] {
		t.Fatalf("HEALTHCHECK is %q", im.health)
	}
	// The commands exist: with --help they print and do nothing.
	for _, args := range [][]string{im.command, im.health[1:]} {
		if code, out, stderr := once(append(args, "--help")...); code != 0 || !strings.Contains(out, "warren "+args[0]) {
			t.Errorf("%q: exit code %d, %s%s", args, code, out, stderr)
		}
	}
}

func TestImageSetsWhatTheProgramReads(t *testing.T) {
	im := lastStage(t)
	set := newSettings()
	for name, value := range im.env {
		if !slices.ContainsFunc(set.all, func(s *setting) bool { return s.envVar() == name }) {
			t.Errorf("ENV %s is not a setting", name)
		}
		t.Setenv(name, value)
	}
	if err := set.resolve(); err != nil {
		t.Fatal(err)
	}
	if got := set.config.dataDir; got != im.volume || !slices.Contains(im.files, im.volume) {
		t.Errorf("data goes to %s, VOLUME is %s, COPY makes %q", got, im.volume, im.files)
	}
	if len(set.config.loopbackUsers) > 0 {
		t.Errorf("%q cannot log in from outside of the container", set.config.loopbackUsers)
	}
	if want := defaultPorts(t); !slices.Equal(im.ports, want) {
		t.Errorf("EXPOSE %q instead of %q", im.ports, want)
	}
}

// defaultPorts are those of AMQP and of the management API.
func defaultPorts(t *testing.T) (ports []string) {
	c := defaultConfig()
	for _, addr := range append(slices.Clone(c.listen), c.management) {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, port)
	}
	return ports
}

func TestComposeFileFitsTheImage(t *testing.T) {
	var file struct {
		Services map[string]struct {
			Build, Image, Hostname, Restart string
			StopGracePeriod                 string `yaml:"stop_grace_period"`
			Ports, Volumes                  []string
			Environment                     map[string]string
		}
		Volumes map[string]any
	}
	if err := yaml.UnmarshalStrict([]byte(readTop(t, "docker-compose.yml")), &file); err != nil {
		t.Fatal(err)
	}
	s, ok := file.Services["warren"]
	if !ok || len(file.Services) != 1 {
		t.Fatalf("services: %v", file.Services)
	}
	if _, err := os.Stat(filepath.Join(top, s.Build, "Dockerfile")); err != nil {
		t.Errorf("build: %v", err)
	}
	var inside []string
	for _, mapping := range s.Ports {
		outside, in, _ := strings.Cut(mapping, ":")
		if outside != in {
			t.Errorf("port %s: clients expect the same number outside", mapping)
		}
		inside = append(inside, in)
	}
	im := lastStage(t)
	if !slices.Equal(inside, im.ports) {
		t.Errorf("ports %q, the image exposes %q", inside, im.ports)
	}
	if len(s.Volumes) != 1 {
		t.Fatalf("volumes: %q", s.Volumes)
	}
	name, target, _ := strings.Cut(s.Volumes[0], ":")
	if _, declared := file.Volumes[name]; !declared || target != im.volume {
		t.Errorf("volume %s: declared %v, the image keeps its data in %s", s.Volumes[0], declared, im.volume)
	}
	for name := range s.Environment {
		if !slices.ContainsFunc(newSettings().all, func(s *setting) bool { return s.envVar() == name }) {
			t.Errorf("environment: %s is not a setting", name)
		}
	}
	grace, stop := defaultConfig(), defaultConfig()
	v := duration(&grace.shutdownTimeout, 0, maxDuration)
	if err := v.set([]string{s.StopGracePeriod}); err != nil || grace.shutdownTimeout <= stop.shutdownTimeout {
		t.Errorf("stop_grace_period %s leaves no time for an orderly stop of %v: %v", s.StopGracePeriod, stop.shutdownTimeout, err)
	}
}

func TestReadmeNamesPortsAndVolumeOfTheImage(t *testing.T) {
	readme, im := readTop(t, "README.md"), lastStage(t)
	for _, word := range append(slices.Clone(im.ports), im.volume, "docker compose up") {
		if !strings.Contains(readme, word) {
			t.Errorf("README.md does not say %s", word)
		}
	}
	if !strings.Contains(readTop(t, "Makefile"), "--data-dir ./data") || path.Clean(defaultConfig().dataDir) != "data" {
		t.Error("make run and the default data folder differ")
	}
}
