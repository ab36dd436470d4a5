package management

import "strings"

// table lists the paths of the API.
func (s *Server) table() []route {
	routes := []route{
		{pattern: "/overview", access: managers, get: s.overview},
		{pattern: "/cluster-name", access: managers, get: s.clusterName},
		{pattern: "/whoami", access: managers, get: s.whoami},
		{pattern: "/nodes", access: monitors, get: s.listNodes},
		{pattern: "/nodes/{node}", access: monitors, get: s.getNode},
		{pattern: "/health/checks/alarms", access: managers, get: s.checkAlarms},
		{pattern: "/health/checks/local-alarms", access: managers, get: s.checkLocalAlarms},

		{pattern: "/warren/backup", access: administrators, stream: s.sendBackup},

		{pattern: "/vhosts", access: managers, get: s.listVHosts},
		{pattern: "/vhosts/{vhost}", access: administrators, get: s.getVHost, put: s.putVHost},
		{pattern: "/vhosts/{vhost}/connections", access: members, get: s.listConnectionsOfVHost},
		{pattern: "/vhosts/{vhost}/channels", access: members, get: s.listChannelsOfVHost},

		{pattern: "/aliveness-test/{vhost}", access: members, get: s.aliveness},

		{pattern: "/connections", access: managers, get: s.listConnections},
		{pattern: "/connections/{connection}", access: managers, get: s.getConnection, delete: s.deleteConnection},
		{pattern: "/connections/{connection}/channels", access: managers, get: s.listChannelsOfConnection},
		{pattern: "/channels", access: managers, get: s.listChannels},
		{pattern: "/channels/{channel}", access: managers, get: s.getChannel},
		{pattern: "/consumers", access: managers, get: s.listConsumers},
		{pattern: "/consumers/{vhost}", access: managers, get: s.listConsumers},

		{pattern: "/exchanges", access: managers, get: s.listExchanges},
		{pattern: "/exchanges/{vhost}", access: members, get: s.listExchanges},
		{pattern: "/exchanges/{vhost}/{exchange}", access: members, get: s.getExchange},
		{pattern: "/exchanges/{vhost}/{exchange}/bindings/source", access: members, get: s.listBindingsFrom},
		{pattern: "/exchanges/{vhost}/{exchange}/bindings/destination", access: members, get: s.listBindingsTo},
		{pattern: "/queues", access: managers, get: s.listQueues},
		{pattern: "/queues/{vhost}", access: members, get: s.listQueues},
		{pattern: "/queues/{vhost}/{queue}", access: members, get: s.getQueue},
		{pattern: "/queues/{vhost}/{queue}/bindings", access: members, get: s.listBindingsTo},
		{pattern: "/bindings", access: managers, get: s.listBindings},
		{pattern: "/bindings/{vhost}", access: members, get: s.listBindings},
		{pattern: "/bindings/{vhost}/e/{source}/q/{queue}", access: members, get: s.listBindingsBetween},
		{pattern: "/bindings/{vhost}/e/{source}/e/{exchange}", access: members, get: s.listBindingsBetween},
		{pattern: "/bindings/{vhost}/e/{source}/q/{queue}/{properties}", access: members, get: s.getBinding},
		{pattern: "/bindings/{vhost}/e/{source}/e/{exchange}/{properties}", access: members, get: s.getBinding},
	}
	for i := range routes {
		routes[i].segments = strings.Split(routes[i].pattern[1:], "/")
	}
	return routes
}
