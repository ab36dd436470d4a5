package management

import "github.com/warren-mq/warren/broker"

// vhostObject is a virtual host. The figures about messages are there once it has had queues, those about bytes once it
// has had connections.
type vhostObject struct {
	Name             string            `json:"name"`
	Description      string            `json:"description"`
	Tags             []string          `json:"tags"`
	DefaultQueueType string            `json:"default_queue_type"`
	Metadata         vhostMetadata     `json:"metadata"`
	Tracing          bool              `json:"tracing"`
	ClusterState     map[string]string `json:"cluster_state"`
	*depths
	*traffic
	MessageStats *messageStats `json:"message_stats,omitempty"`
}

type vhostMetadata struct {
	Description string   `json:"description"`
	Tags        []string `json:"tags"`
}

// traffic is what went over connections, in bytes.
type traffic struct {
	RecvOct        uint64  `json:"recv_oct"`
	RecvOctDetails details `json:"recv_oct_details"`
	SendOct        uint64  `json:"send_oct"`
	SendOctDetails details `json:"send_oct_details"`
}

// listVHosts lists those that the user may open, for monitors all.
func (s *Server) listVHosts(r *request) (any, error) {
	tallies := survey(s.broker, visitor{})
	var visible []*broker.VHost
	for _, vh := range s.broker.VHosts() {
		if tallies[vh.Name()] != nil && r.seesVHost(vh.Name()) {
			visible = append(visible, vh)
		}
	}
	return pagedListOf(visible, func(vh *broker.VHost) any { return new(s.vhostObject(vh, tallies[vh.Name()])) }), nil
}

func (r *request) seesVHost(name string) bool { return r.isMonitor() || r.mayEnter(name) }

func (s *Server) getVHost(r *request) (any, error) {
	vh, err := r.vhost()
	if err != nil {
		return nil, err
	}
	t := survey(s.broker, visitor{})[vh.Name()]
	if t == nil {
		return nil, errNotFound // deleted meanwhile
	}
	return s.vhostObject(vh, t), nil
}

func (s *Server) vhostObject(vh *broker.VHost, t *tally) vhostObject {
	description := ""
	if vh.Name() == "/" {
		description = "Default virtual host"
	}
	r := s.samples.vhost(vh.Name())
	o := vhostObject{
		Name: vh.Name(), Description: description, Tags: []string{},
		DefaultQueueType: "undefined",
		Tracing:          vh.Tracing(),
		Metadata:         vhostMetadata{Description: description, Tags: []string{}},
		ClusterState:     map[string]string{s.broker.NodeName(): "running"},
		MessageStats:     messageStatsOf(&t.messages, r),
	}
	if len(t.queued) > 0 {
		st := t.stats()
		o.depths = new(depthsOf(&st, r))
	}
	if t.receivedBytes > 0 {
		o.traffic = &traffic{
			RecvOct: t.receivedBytes, RecvOctDetails: r.counter(vhostReceivedBytes),
			SendOct: t.sentBytes, SendOctDetails: r.counter(vhostSentBytes),
		}
	}
	return o
}
