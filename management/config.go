package management

import (
	"net"
	"time"
)

// Config is what the API cannot ask the broker for. The zero value of a field means its default.
type Config struct {
	// Listeners lists what the node listens on, for the overview; it is asked at every request. The listeners of the
	// API itself need not be in it. Default: none.
	Listeners func() []Listener
	// Resources tells the limits at which alarms are raised and the space that is left. It is asked at every request.
	// Default: the memory of the machine, and a disk that nobody watches.
	Resources func() Resources
	// DataDir, ConfigFiles and LogFiles are shown as the node's db_dir, config_files and log_files.
	DataDir               string
	ConfigFiles, LogFiles []string
	// MaxConnections bounds the HTTP connections that are served at once; more wait to be accepted. Default: 1000.
	MaxConnections int
}

// Listener is an open port. Protocol is in RabbitMQ's words: amqp, amqp/ssl, http, https.
type Listener struct {
	Protocol string
	Addr     net.Addr
}

// Resources are the node's limits and what is left, in bytes. 0 means unknown or unlimited.
type Resources struct {
	MemoryLimit             uint64
	DiskFree, DiskFreeLimit uint64
}

const (
	// maxHeaderBytes and maxBodyBytes bound a request. RabbitMQ's max_body_size is 20,000,000.
	maxHeaderBytes = 64 << 10
	maxBodyBytes   = 20_000_000

	headerTimeout = 10 * time.Second
	readTimeout   = time.Minute
	// writeTimeout is enough for the list of 100,000 queues (300 MB) to a client that takes 1 MB/s.
	writeTimeout = 5 * time.Minute
	idleTimeout  = time.Minute

	// sampleInterval is RabbitMQ's collect_statistics_interval.
	sampleInterval = 5 * time.Second
)

func (c Config) withDefaults() Config {
	if c.Listeners == nil {
		c.Listeners = func() []Listener { return nil }
	}
	if c.Resources == nil {
		c.Resources = func() Resources { return Resources{} }
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = 1000
	}
	return c
}
