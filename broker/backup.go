package broker

import (
	"errors"
	"io"

	"github.com/warren-mq/warren/storage"
)

// ErrNoStore says that a broker keeps nothing.
var ErrNoStore = errors.New("the broker has no store")

// Backup writes a consistent copy of all that is durable to w while the broker goes on; see storage.Store.Backup. It
// keeps the store from giving space back until it ends, so w must not stand still.
func (b *Broker) Backup(w io.Writer, progress func(bytes int64)) error {
	if b.cfg.Store == nil {
		return ErrNoStore
	}
	return b.cfg.Store.Backup(w, progress)
}

// LogOwner names the queue whose messages a log of the store holds.
func LogOwner(l *storage.Log) (vhost, queue string, ok bool) {
	tag := l.Tag()
	if len(tag) == 0 || tag[0] != kindOfQueue {
		return "", "", false
	}
	vhost, rest, err := cutName(tag[1:])
	if err != nil {
		return "", "", false
	}
	queue, _, err = cutName(rest)
	return vhost, queue, err == nil
}
