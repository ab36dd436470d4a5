package management

import (
	"encoding/json"
	"errors"
	"io"

	"github.com/warren-mq/warren/broker"
)

// putVHost switches the tracing of a vhost. Everything else that a body may hold is not kept.
func (s *Server) putVHost(r *request) error {
	vh, err := r.vhost()
	if err != nil {
		return err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return badRequest("the body cannot be read")
	}
	var fields map[string]json.RawMessage
	if len(body) > 0 && json.Unmarshal(body, &fields) != nil {
		return badRequest("not_json")
	}
	value, given := fields["tracing"]
	if !given {
		return nil
	}
	var on bool
	switch string(value) {
	case "true", `"true"`:
		on = true
	case "false", `"false"`:
	default:
		return badRequest("not_boolean: " + string(value))
	}
	s.log.Info().Str("user", r.user.Name).Str("vhost", vh.Name()).Bool("tracing", on).Msg("tracing is switched by HTTP")
	if err := s.broker.SetTracing(vh, on); err != nil && !errors.Is(err, broker.ErrStopped) {
		return err
	}
	return nil
}
