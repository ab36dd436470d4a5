package management

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/warren-mq/warren/broker"
)

// backups are at most one download of all that is durable.
type backups struct {
	stop    context.Context // ended by Shutdown
	quit    context.CancelFunc
	mu      sync.Mutex
	running bool           // guarded by mu
	done    sync.WaitGroup // Add only under mu
}

// begin admits one backup at a time, and none once the server shuts down.
func (b *backups) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running || b.stop.Err() != nil {
		return false
	}
	b.running = true
	b.done.Add(1)
	return true
}

func (b *backups) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running = false
	b.done.Done()
}

// cut ends a backup that runs and waits for it: the store may be closed then.
func (b *backups) cut() {
	b.mu.Lock()
	b.quit()
	b.mu.Unlock()
	b.done.Wait()
}

// backupStall is how long a client may take nothing of a backup: the store keeps old files meanwhile.
const backupStall = 30 * time.Second

// sendBackup streams a backup, a route of Warren's own. One that fails under way is cut off, so that no client takes
// what it has for the whole.
func (s *Server) sendBackup(w http.ResponseWriter, r *request) {
	if !s.backups.begin() {
		s.refuse(w, r.Request, &fault{status: http.StatusConflict, Name: "conflict", Reason: "another backup is running"})
		return
	}
	defer s.backups.end()
	to := &stream{w: w, control: http.NewResponseController(w), stop: s.backups.stop}
	began := time.Now()
	s.log.Info().Str("user", r.user.Name).Str("peer", r.RemoteAddr).Msg("backup begins")
	w.Header().Set("Content-Type", "application/octet-stream")
	err := s.broker.Backup(to, nil)
	switch {
	case err == nil:
		s.log.Info().Int64("bytes", to.bytes).Dur("took_ms", time.Since(began)).Msg("backup is complete")
		return
	case errors.Is(err, broker.ErrNoStore):
		w.Header().Del("Content-Type")
		s.refuse(w, r.Request, &fault{status: http.StatusBadRequest, Name: "bad_request", Reason: err.Error()})
		return
	}
	s.log.Error().Err(err).Int64("bytes", to.bytes).Msg("backup failed")
	panic(http.ErrAbortHandler)
}

// stream is an answer of any length, whose client must keep taking it.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	stop    context.Context
	bytes   int64
}

func (s *stream) Write(p []byte) (int, error) {
	if s.stop.Err() != nil {
		return 0, ErrClosed
	}
	if err := s.control.SetWriteDeadline(time.Now().Add(backupStall)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	n, err := s.w.Write(p)
	s.bytes += int64(n)
	return n, err
}
