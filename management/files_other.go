//go:build !unix

package management

// openFiles is unknown on this system: RabbitMQ's figures for Windows stand in, so that a share of the limit is small.
func openFiles() (open, limit uint64) { return 0, 65536 }
