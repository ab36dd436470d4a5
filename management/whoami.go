package management

// userObject is the user who asks.
type userObject struct {
	Name string   `json:"name"`
	Tags []string `json:"tags"`
}

func (s *Server) whoami(r *request) (any, error) {
	return userObject{Name: r.user.Name, Tags: append([]string{}, r.user.Tags...)}, nil
}
