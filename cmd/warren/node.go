package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/rs/zerolog"

	"github.com/warren-mq/warren/auth"
	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/management"
	"github.com/warren-mq/warren/server"
	"github.com/warren-mq/warren/storage"
)

// node is a running broker with its doors.
type node struct {
	log     zerolog.Logger
	dataDir string // absolute
	store   *storage.Store
	broker  *broker.Broker
	server  *server.Server
	amqp    []net.Listener
	api     *management.Server // nil without a management API, as is http
	http    net.Listener

	failed  chan error // what ended a listener that nobody had closed; room for all of them
	quit    context.CancelFunc
	running sync.WaitGroup // the accept loops and the watch over memory and disk
}

// startNode brings everything up. The doors open last, so that a client that gets in finds a broker that is ready. The
// configuration file's name is only shown.
func startNode(c config, file string, log zerolog.Logger) (n *node, err error) {
	n = &node{log: log, failed: make(chan error, len(c.listen)+2)}
	if n.dataDir, err = openDataDir(c.dataDir); err != nil {
		return nil, err
	}
	memory := c.memoryOrUnknown(log)
	tuneCollector(memory)
	store, err := openStore(n.dataDir, c, memory, log)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, store.Close())
		}
	}()
	n.store = store
	if n.broker, err = newBroker(c, store, log); err != nil {
		return nil, err
	}
	n.server = server.New(serverConfig(c, memory), n.broker, log)
	w := newWatch(n.dataDir, c.resourceLimits(memory, uint64(store.SpaceLimit()), log), &n.broker.Alarms, log)
	if n.amqp, err = listenAll(c.listen, "listen"); err != nil {
		return nil, err
	}
	if c.management != "" {
		if n.http, err = listen(c.management, "management"); err != nil {
			closeAll(n.amqp)
			return nil, err
		}
		n.api = management.New(n.managementConfig(file, w), n.broker, log)
	}

	watched, quit := context.WithCancel(context.Background())
	n.quit = quit
	n.running.Go(func() { w.run(watched) })
	n.running.Go(func() { n.watchStore(watched) })
	for _, l := range n.amqp {
		n.accept("AMQP", l, n.server.Serve, server.ErrClosed)
	}
	if n.api != nil {
		n.accept("management", n.http, n.api.Serve, management.ErrClosed)
	}
	return n, nil
}

// accept runs a door's loop. It ends with stop, or with an error that ends the node.
func (n *node) accept(what string, l net.Listener, serve func(net.Listener) error, closed error) {
	n.running.Go(func() {
		if err := serve(l); err != nil && !errors.Is(err, closed) {
			n.failed <- fmt.Errorf("%s on %s: %w", what, l.Addr(), err)
		}
	})
}

// stop is the start in reverse. Clients are told (320); ctx bounds how long they have to take what is still theirs.
func (n *node) stop(ctx context.Context) error {
	err := n.server.Shutdown(ctx)
	if n.api != nil {
		err = errors.Join(err, n.api.Shutdown(ctx))
	}
	n.quit()
	n.running.Wait()
	n.broker.Close()
	return errors.Join(err, n.store.Close())
}

// watchStore ends the node when the disk fails: nothing could be promised any more, and what was is recovered by the
// next start.
func (n *node) watchStore(ctx context.Context) {
	select {
	case <-n.store.Failed():
		n.failed <- fmt.Errorf("the store in %s has failed: %w", n.dataDir, n.store.Err())
	case <-ctx.Done():
	}
}

// managementConfig is what the API shows of the node beyond the broker.
func (n *node) managementConfig(file string, w *watch) management.Config {
	mc := management.Config{
		DataDir:  n.dataDir,
		LogFiles: []string{"<stderr>"},
		Listeners: func() (open []management.Listener) {
			for _, l := range n.amqp {
				open = append(open, management.Listener{Protocol: "amqp", Addr: l.Addr()})
			}
			return open
		},
		Resources: func() management.Resources {
			return management.Resources{
				MemoryLimit: w.limits.memory, DiskFreeLimit: w.limits.diskFree, DiskFree: w.lastDiskFree.Load(),
			}
		},
	}
	if file != "" {
		mc.ConfigFiles = []string{file}
	}
	return mc
}

func newBroker(c config, store *storage.Store, log zerolog.Logger) (*broker.Broker, error) {
	users := auth.New(c.loopbackUsers...)
	admin := auth.DefaultUser()
	admin.Name, admin.Password, admin.VHost = c.defaultUser, c.defaultPass, c.defaultVHost
	if err := users.Seed(admin); err != nil {
		return nil, err
	}
	return broker.New(broker.Config{
		NodeName:       c.nodeName,
		Product:        c.product,
		Version:        c.productVersion,
		DefaultVHost:   c.defaultVHost,
		MaxMessageSize: c.maxMessageSize,
		Users:          users,
		Store:          store,
		Durability:     c.durability,
		Logger:         log,
	})
}

// serverConfig: transactions may hold half of the memory at which publishers are held, so that they alone never raise the
// alarm, which nothing could clear. memory is 0 where it is unknown.
func serverConfig(c config, memory uint64) server.Config {
	sc := server.Config{
		FrameMax:         c.frameMax,
		ChannelMax:       c.channelMax,
		Heartbeat:        c.heartbeat,
		HandshakeTimeout: c.handshakeTimeout,
		ProxyProtocol:    c.proxyProtocol,
		ConsumerTimeout:  c.consumerTimeout,

		MaxUncommittedBytes: int64(c.memoryHighWatermark.of(memory) / 2),
	}
	if sc.ChannelMax == 0 { // no limit of ours; 65535 is the protocol's
		sc.ChannelMax = 65535
	}
	if sc.Heartbeat == 0 { // the server's zero value means its default
		sc.Heartbeat = -1
	}
	if sc.ConsumerTimeout == 0 {
		sc.ConsumerTimeout = -1
	}
	return sc
}
