package broker

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/warren-mq/warren/auth"
	"github.com/warren-mq/warren/storage"
)

// Config is what a broker is made of. The zero value of a field means its default.
type Config struct {
	// NodeName is shown to clients, in errors and in the management API. Default: rabbit@<host name>.
	NodeName string
	// Product and Version are announced in connection.start's server-properties and in the management API. Clients
	// gate features on them. Default: RabbitMQ and 3.10.8, the version whose behaviour is reproduced.
	Product string
	Version string
	// DefaultVHost exists from the start. Default: "/".
	DefaultVHost string
	// MaxMessageSize is the largest body in bytes that is accepted. Default: 128 MiB.
	MaxMessageSize uint64
	// Users holds the accounts. Default: the user guest with password guest, from loopback addresses only.
	Users *auth.Users
	// Store keeps what is durable. Without one everything lives in memory. The broker does not close it.
	Store *storage.Store
	// Durability is what a confirm means in queues whose arguments do not say: fsync, os or memory, as x-durability.
	// Default: fsync.
	Durability string
	// Now is the clock. Default: time.Now. Nothing in broker or queue asks another one.
	Now func() time.Time
	// Logger receives the events of the core.
	Logger zerolog.Logger
}

// DefaultVersion is the RabbitMQ version whose behaviour Warren reproduces and, unless told otherwise, reports.
const DefaultVersion = "3.10.8"

// DefaultMaxMessageSize is RabbitMQ 3.10's max_message_size, in bytes.
const DefaultMaxMessageSize = 128 << 20

// Broker is one node: its vhosts, users, alarms and the connections that it knows of. All methods may be called
// from any goroutine.
type Broker struct {
	cfg     Config
	started time.Time

	Users  *auth.Users
	Alarms Alarms
	Totals Totals

	connections connections
	commits     commits // on disk
	writes      commits // with the operating system
	ended       ended
	timers      timers
	windows     windows
	replies     sync.Map // *ReplyQueue by name
	returners   returners
	starts      uint64 // how often the broker was started with its store, this time included

	mu     sync.RWMutex
	vhosts map[string]*VHost // guarded by mu
}

// New returns a broker with its default vhost.
func New(cfg Config) (*Broker, error) {
	if cfg.NodeName == "" {
		cfg.NodeName = DefaultNodeName()
	}
	if !strings.Contains(cfg.NodeName, "@") {
		cfg.NodeName += "@" + hostName()
	}
	if cfg.Product == "" {
		cfg.Product = "RabbitMQ"
	}
	if cfg.Version == "" {
		cfg.Version = DefaultVersion
	}
	if cfg.DefaultVHost == "" {
		cfg.DefaultVHost = "/"
	}
	if cfg.MaxMessageSize == 0 {
		cfg.MaxMessageSize = DefaultMaxMessageSize
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Users == nil {
		guest := auth.DefaultUser()
		guest.VHost = cfg.DefaultVHost
		cfg.Users = auth.New(guest.Name)
		if err := cfg.Users.Seed(guest); err != nil {
			return nil, err
		}
	}
	b := &Broker{cfg: cfg, Users: cfg.Users, started: cfg.Now(), vhosts: make(map[string]*VHost), starts: 1}
	b.timers.broker = b
	b.commits.tell, b.writes.tell = CommitWaiter.Durable, CommitWaiter.Written
	if cfg.Store != nil {
		return b, b.recover()
	}
	if _, err := b.AddVHost(cfg.DefaultVHost); err != nil {
		return nil, fmt.Errorf("create the default vhost: %w", err)
	}
	return b, nil
}

// Close ends what the broker does of its own accord, with time. The front doors are shut down before, and the store is
// closed after.
func (b *Broker) Close() {
	b.timers.close()
	b.windows.close()
}

// DefaultNodeName is rabbit@ and the host's short name, as RabbitMQ calls its node.
func DefaultNodeName() string { return "rabbit@" + hostName() }

func hostName() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		return "localhost"
	}
	short, _, _ := strings.Cut(host, ".")
	return short
}

// NodeName is the node's name, for example rabbit@host.
func (b *Broker) NodeName() string { return b.cfg.NodeName }

// Product and Version are what clients are told.
func (b *Broker) Product() string { return b.cfg.Product }
func (b *Broker) Version() string { return b.cfg.Version }

// MaxMessageSize is the largest body in bytes that is accepted.
func (b *Broker) MaxMessageSize() uint64 { return b.cfg.MaxMessageSize }

// Started is when the broker was made.
func (b *Broker) Started() time.Time { return b.started }

// Now is the broker's clock.
func (b *Broker) Now() time.Time { return b.cfg.Now() }

// nowMillis is the clock as the queues want it.
func (b *Broker) nowMillis() int64 { return b.cfg.Now().UnixMilli() }

// Logger is the core's logger.
func (b *Broker) Logger() *zerolog.Logger { return &b.cfg.Logger }

// AddVHost creates a vhost with its predeclared exchanges. An existing vhost of that name is returned as it is.
func (b *Broker) AddVHost(name string) (*VHost, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if vh, ok := b.vhosts[name]; ok {
		return vh, nil
	}
	vh, err := newVHost(b, name)
	if err != nil {
		return nil, err
	}
	b.vhosts[name] = vh
	return vh, nil
}

// VHost finds a vhost by name.
func (b *Broker) VHost(name string) (*VHost, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	vh, ok := b.vhosts[name]
	return vh, ok
}

// VHosts lists the vhosts, sorted by name.
func (b *Broker) VHosts() []*VHost {
	b.mu.RLock()
	list := make([]*VHost, 0, len(b.vhosts))
	for _, vh := range b.vhosts {
		list = append(list, vh)
	}
	b.mu.RUnlock()
	slices.SortFunc(list, func(x, y *VHost) int { return strings.Compare(x.name, y.name) })
	return list
}

// NewName makes a name that no client could have chosen before: prefix, a dash and 22 characters of base64url, as
// RabbitMQ's amq.gen-… and amq.ctag-….
func NewName(prefix string) string {
	var random [16]byte
	rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	return prefix + "-" + base64.RawURLEncoding.EncodeToString(random[:])
}
