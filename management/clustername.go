package management

// clusterNameObject names the cluster, which is one node.
type clusterNameObject struct {
	Name string `json:"name"`
}

func (s *Server) clusterName(*request) (any, error) {
	return clusterNameObject{Name: s.broker.NodeName()}, nil
}
