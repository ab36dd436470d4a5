package management

import "net/http"

// healthCheck is the outcome of a health check: 200 when Status is ok, else 503.
type healthCheck struct {
	Status string  `json:"status"`
	Reason string  `json:"reason,omitempty"`
	Alarms []alarm `json:"alarms,omitempty"`
}

type alarm struct {
	Node     string `json:"node"`
	Resource string `json:"resource"`
}

func (c healthCheck) status() int {
	if c.Status == "ok" {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}

func (s *Server) checkAlarms(*request) (any, error) {
	return s.alarmCheck("There are alarms in effect in the cluster"), nil
}

func (s *Server) checkLocalAlarms(*request) (any, error) {
	return s.alarmCheck("There are alarms in effect on the node"), nil
}

func (s *Server) alarmCheck(reason string) healthCheck {
	resources := s.broker.Alarms.Resources()
	if len(resources) == 0 {
		return healthCheck{Status: "ok"}
	}
	c := healthCheck{Status: "failed", Reason: reason}
	for _, resource := range resources {
		c.Alarms = append(c.Alarms, alarm{Node: s.broker.NodeName(), Resource: resource})
	}
	return c
}
