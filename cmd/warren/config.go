package main

import (
	"time"

	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/server"
)

// config is what the settings add up to. Each field is described by its line of the table in settings.go.
type config struct {
	dataDir    string
	nodeName   string
	listen     []string // host:port, at least one
	management string   // host:port, or "" for none

	product, productVersion string
	defaultUser             string
	defaultPass             string
	defaultVHost            string
	loopbackUsers           []string

	proxyProtocol    bool
	handshakeTimeout time.Duration
	heartbeat        time.Duration // whole seconds, at most 65535
	frameMax         uint32        // bytes
	channelMax       uint16        // 0: no limit but the protocol's
	maxMessageSize   uint64        // bytes of a body
	consumerTimeout  time.Duration // 0: none

	memoryHighWatermark threshold // of the memory in use
	diskFreeLimit       threshold // of the space left for the data folder

	logLevel        string
	logFormat       string
	shutdownTimeout time.Duration
	durability      string // of queues without x-durability, in its words
	salvage         bool   // open what is left of a damaged data folder
}

// defaultConfig has RabbitMQ 3.10.8's defaults wherever it has the same setting.
func defaultConfig() config {
	return config{
		dataDir:    "data",
		nodeName:   broker.DefaultNodeName(),
		listen:     []string{":5672"},
		management: ":15672",

		product:        "RabbitMQ",
		productVersion: broker.DefaultVersion,
		defaultUser:    "guest",
		defaultPass:    "guest",
		defaultVHost:   "/",
		loopbackUsers:  []string{"guest"},

		handshakeTimeout: 10 * time.Second,
		heartbeat:        60 * time.Second,
		frameMax:         128 << 10,
		channelMax:       2047,
		maxMessageSize:   broker.DefaultMaxMessageSize,
		consumerTimeout:  server.DefaultConsumerTimeout,

		memoryHighWatermark: threshold{fraction: 0.4},
		diskFreeLimit:       threshold{auto: true},

		logLevel:        "info",
		logFormat:       "console",
		shutdownTimeout: 5 * time.Second,
		durability:      "fsync",
	}
}
