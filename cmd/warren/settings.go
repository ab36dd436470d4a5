package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// setting is one thing that a user can set. Its name is that of the flag (--data-dir), of the environment variable
// (WARREN_DATA_DIR) and of the key in the configuration file (data-dir).
//
// No setting may be called "port", "service-host" or "service-port": Kubernetes sets WARREN_PORT and its like in every
// pod beside a Service that is called warren.
type setting struct {
	name     string
	category string
	about    string // for the help text and docs/operations.md: one sentence without the default
	value    value

	flags []string // what the command line gave, one for each time
}

// envVar is the setting's environment variable.
func (s *setting) envVar() string {
	return "WARREN_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
}

// Categories of the help text, in alphabetical order, which is the order in which it prints them.
const (
	categoryAccess    = "Access"
	categoryGeneral   = "General"
	categoryLimits    = "Limits"
	categoryListeners = "Listeners"
	categoryProtocol  = "Protocol"
)

// settings are the table and the configuration that it fills.
type settings struct {
	config config
	file   string // the configuration file, "" for none
	all    []*setting
}

// newSettings returns the table with every setting at its default. A new setting is one line here.
func newSettings() *settings {
	s := &settings{config: defaultConfig()}
	c := &s.config
	add := func(category, name string, v value, about string) {
		s.all = append(s.all, &setting{name: name, category: category, about: about, value: v})
	}

	add(categoryGeneral, "config", text(&s.file), "`FILE` with settings, in TOML")
	add(categoryGeneral, "data-dir", nonEmpty(&c.dataDir), "`FOLDER` for everything that is kept; made if it is missing")
	add(categoryGeneral, "node-name", nonEmpty(&c.nodeName), "`NAME` of this node in errors, in the API and for clients")
	add(categoryGeneral, "log-level", choice(&c.logLevel, "trace", "debug", "info", "warn", "error"), "least `LEVEL` that is logged")
	add(categoryGeneral, "log-format", choice(&c.logFormat, "console", "json"), "`FORMAT` of the log: console for people, json for programs")
	add(categoryGeneral, "shutdown-timeout", duration(&c.shutdownTimeout, 0, maxDuration), "longest `TIME` that an orderly stop takes")
	add(categoryGeneral, "durability", choice(&c.durability, "fsync", "os", "memory"), "what a confirm waits for in queues without x-durability: fsync, os or memory")
	add(categoryGeneral, "salvage", boolean(&c.salvage), "open a damaged data folder with what is whole, and log what is lost")

	add(categoryListeners, "listen", addresses(&c.listen), "`HOST:PORT` for AMQP; without a host, all interfaces; may be repeated")
	add(categoryListeners, "management", optionalAddress(&c.management), "`HOST:PORT` for the HTTP API, or none")
	add(categoryListeners, "proxy-protocol", boolean(&c.proxyProtocol), "expect a PROXY header (version 1 or 2) on each AMQP connection")

	add(categoryAccess, "default-user", nonEmpty(&c.defaultUser), "`NAME` of the administrator that a new broker has")
	add(categoryAccess, "default-pass", text(&c.defaultPass), "`PASSWORD` of that user")
	add(categoryAccess, "default-vhost", nonEmpty(&c.defaultVHost), "`NAME` of the virtual host that a new broker has")
	add(categoryAccess, "loopback-users", list(&c.loopbackUsers), "`USERS` that may only connect from this machine, or none")

	add(categoryProtocol, "product", nonEmpty(&c.product), "`NAME` of the product that clients are told")
	add(categoryProtocol, "product-version", nonEmpty(&c.productVersion), "`VERSION` that clients are told; some libraries choose features by it")
	add(categoryProtocol, "heartbeat", wholeSeconds(&c.heartbeat, 65535), "`TIME` between heartbeats offered to clients; 0s for none")
	add(categoryProtocol, "frame-max", integer(&c.frameMax, 4096, 1<<31-1), "largest frame in `BYTES` offered to clients")
	add(categoryProtocol, "channel-max", integer(&c.channelMax, 0, 65535), "most channels of a connection, a `NUMBER`; 0 for no limit")
	add(categoryProtocol, "handshake-timeout", duration(&c.handshakeTimeout, 1, maxDuration), "longest `TIME` from connecting to an open connection")

	add(categoryLimits, "max-message-size", size(&c.maxMessageSize, 1, 128<<20), "largest message body, a `SIZE`")
	add(categoryLimits, "consumer-timeout", duration(&c.consumerTimeout, 0, maxDuration), "longest `TIME` that a delivery may stay unacknowledged before its channel is closed; 0s for ever")
	add(categoryLimits, "memory-high-watermark", watermark(&c.memoryHighWatermark), "memory above which publishers wait: a `SIZE`, or a fraction of the machine's or container's memory")
	add(categoryLimits, "disk-free-limit", watermarkOrAuto(&c.diskFreeLimit), "free space of the data folder below which publishers wait: a `SIZE`, a fraction of the memory, or auto, what the store needs, which is the least")
	return s
}

// find returns the setting of that name, or nil.
func (s *settings) find(name string) *setting {
	for _, set := range s.all {
		if set.name == name {
			return set
		}
	}
	return nil
}

// names lists the settings. The table may be nil.
func (s *settings) names() []string {
	if s == nil {
		return nil
	}
	names := make([]string, len(s.all))
	for i, set := range s.all {
		names[i] = set.name
	}
	return names
}

// resolve fills the configuration once the flags have been read: a flag wins over the environment, that over the file,
// and that over the default. All faults are reported, not only the first.
func (s *settings) resolve() error {
	var faults []error
	set := func(where string, to *setting, words []string) {
		if err := to.value.set(words); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", where, err))
		}
	}
	fromOutside := func(to *setting) (given bool) {
		if len(to.flags) > 0 {
			set("--"+to.name, to, to.flags)
			return true
		}
		// An empty variable counts as not given: compose files and charts write VAR=${VAR:-}.
		if v := os.Getenv(to.envVar()); v != "" {
			set(to.envVar(), to, []string{v})
			return true
		}
		return false
	}

	fromOutside(s.find("config")) // first, since it says what to read
	file, err := s.readFile(s.file)
	if err != nil {
		return err
	}
	for _, to := range s.all {
		if to.name == "config" || fromOutside(to) {
			continue
		}
		if entry, ok := file[to.name]; ok {
			set(entry.where, to, entry.words)
		}
	}
	return errors.Join(faults...)
}

// strayVariables lists WARREN_ variables that no setting reads but that look much like one, which is how a mistyped
// variable shows. Others are let be: Kubernetes alone makes seven of them for a Service called warren.
func (s *settings) strayVariables() (stray []string) {
	const prefix = "WARREN_"
	var known []string
	for _, set := range s.all {
		known = append(known, strings.TrimPrefix(set.envVar(), prefix))
	}
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		rest, ours := strings.CutPrefix(name, prefix)
		if !ours || slices.Contains(known, rest) {
			continue
		}
		if hint := didYouMean(prefix, rest, "", known); hint != "" {
			stray = append(stray, name+hint)
		}
	}
	return stray
}
