package management

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/warren-mq/warren/auth"
)

// nodeObject is this node. Limits are always there, since tools divide by them. Counters of RabbitMQ's own stores are
// left out; what is Erlang's has the nearest figure of Go: goroutines for processes, its garbage collector's for gc.
type nodeObject struct {
	Name      string `json:"name"`
	Type      string `json:"type"`
	Running   bool   `json:"running"`
	OSPID     string `json:"os_pid"`
	Uptime    int64  `json:"uptime"` // milliseconds
	RatesMode string `json:"rates_mode"`
	RunQueue  int    `json:"run_queue"`

	Processors             int    `json:"processors"`
	NetTicktime            int    `json:"net_ticktime"`
	MemCalculationStrategy string `json:"mem_calculation_strategy"`

	FDTotal       uint64 `json:"fd_total"`
	SocketsTotal  uint64 `json:"sockets_total"`
	ProcTotal     uint64 `json:"proc_total"`
	MemLimit      uint64 `json:"mem_limit"` // bytes
	MemAlarm      bool   `json:"mem_alarm"`
	DiskFreeLimit uint64 `json:"disk_free_limit"` // bytes
	DiskFreeAlarm bool   `json:"disk_free_alarm"`

	MemUsed                 uint64  `json:"mem_used"`
	MemUsedDetails          details `json:"mem_used_details"`
	FDUsed                  uint64  `json:"fd_used"`
	FDUsedDetails           details `json:"fd_used_details"`
	SocketsUsed             uint64  `json:"sockets_used"`
	SocketsUsedDetails      details `json:"sockets_used_details"`
	ProcUsed                uint64  `json:"proc_used"`
	ProcUsedDetails         details `json:"proc_used_details"`
	DiskFree                uint64  `json:"disk_free"`
	DiskFreeDetails         details `json:"disk_free_details"`
	GCNum                   uint64  `json:"gc_num"`
	GCNumDetails            details `json:"gc_num_details"`
	GCBytesReclaimed        uint64  `json:"gc_bytes_reclaimed"`
	GCBytesReclaimedDetails details `json:"gc_bytes_reclaimed_details"`
	churn

	Partitions     []string            `json:"partitions"`
	ClusterLinks   []string            `json:"cluster_links"`
	ExchangeTypes  []named             `json:"exchange_types"`
	AuthMechanisms []named             `json:"auth_mechanisms"`
	Applications   []applicationObject `json:"applications"`
	Contexts       []contextObject     `json:"contexts"`
	EnabledPlugins []string            `json:"enabled_plugins"`
	LogFiles       []string            `json:"log_files"`
	ConfigFiles    []string            `json:"config_files"`
	DBDir          string              `json:"db_dir"`
}

type applicationObject struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Version     string `json:"version"`
}

func (s *Server) listNodes(*request) (any, error) {
	return listOf([]nodeObject{s.nodeObject()}, func(o nodeObject) any { return o }), nil
}

func (s *Server) getNode(r *request) (any, error) {
	if r.name("{node}") != s.broker.NodeName() {
		return nil, errNotFound
	}
	return s.nodeObject(), nil
}

func (s *Server) nodeObject() nodeObject {
	b, m, r := s.broker, s.machine(), s.samples.node()
	limits := s.cfg.Resources()
	if limits.MemoryLimit == 0 {
		limits.MemoryLimit = uint64(debug.SetMemoryLimit(-1)) // asks for Go's own limit, which is huge by default
	}
	o := nodeObject{
		Name: b.NodeName(), Type: "disc", Running: true, OSPID: strconv.Itoa(os.Getpid()),
		Uptime: b.Now().Sub(b.Started()).Milliseconds(), RatesMode: "basic",
		Processors: runtime.GOMAXPROCS(0), NetTicktime: 60, MemCalculationStrategy: "allocated",
		FDTotal: m.filesLimit, SocketsTotal: m.filesLimit, ProcTotal: maxGoroutines,
		MemLimit: limits.MemoryLimit, DiskFreeLimit: limits.DiskFreeLimit,
		MemUsed: m.memory, MemUsedDetails: r.gauge(memoryUsed),
		FDUsed: m.files, FDUsedDetails: r.gauge(filesUsed),
		SocketsUsed: m.sockets, SocketsUsedDetails: r.gauge(socketsUsed),
		ProcUsed: m.goroutines, ProcUsedDetails: r.gauge(goroutinesUsed),
		DiskFree: m.diskFree, DiskFreeDetails: r.gauge(diskFree),
		GCNum: m.collections, GCNumDetails: r.counter(collections),
		GCBytesReclaimed: m.reclaimed, GCBytesReclaimedDetails: r.counter(bytesReclaimed),
		churn:      s.churn(r),
		Partitions: []string{}, ClusterLinks: []string{},
		ExchangeTypes: exchangeTypes(), AuthMechanisms: authMechanisms(),
		Applications:   []applicationObject{{Name: "rabbit", Description: b.Product(), Version: b.Version()}},
		Contexts:       s.contextObjects(""),
		EnabledPlugins: []string{"rabbitmq_management", "rabbitmq_prometheus"},
		LogFiles:       append([]string{}, s.cfg.LogFiles...),
		ConfigFiles:    append([]string{}, s.cfg.ConfigFiles...),
		DBDir:          s.cfg.DataDir,
	}
	for _, resource := range b.Alarms.Resources() {
		o.MemAlarm = o.MemAlarm || resource == "memory"
		o.DiskFreeAlarm = o.DiskFreeAlarm || resource == "disk"
	}
	return o
}

func authMechanisms() []named {
	var list []named
	for _, m := range auth.Mechanisms() {
		list = append(list, named{
			Name: m.Name, Description: strings.Join([]string{"SASL", m.Name, "authentication mechanism"}, " "), Enabled: true,
		})
	}
	return list
}
