package management

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"

	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/storage"
)

const backupPath = "/api/warren/backup"

// storedServer returns the API of a broker that keeps what is durable.
func storedServer(t *testing.T) *Server {
	t.Helper()
	store, err := storage.Open(t.TempDir(), storage.Options{})
	check(t, err)
	b, err := broker.New(broker.Config{Store: store})
	check(t, err)
	t.Cleanup(func() {
		b.Close()
		check(t, store.Close())
	})
	return New(Config{}, b, zerolog.Nop())
}

func TestABackupIsForAdministrators(t *testing.T) {
	s := storedServer(t)
	check(t, s.broker.Users.SetPassword("watcher", "pw", []string{"monitoring"}))
	if w := askAs(s, "watcher", "pw", "127.0.0.1:1", http.MethodGet, backupPath); w.Code != http.StatusUnauthorized {
		t.Errorf("a monitor gets %d %.100s", w.Code, w.Body)
	}
	w := ask(s, http.MethodGet, backupPath)
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	dir := filepath.Join(t.TempDir(), "restored")
	check(t, storage.Restore(w.Body, dir, storage.Options{}))
	if !storage.Exists(dir) {
		t.Error("nothing was restored")
	}
	if w := ask(s, http.MethodPost, backupPath); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

func TestABackupIsRefusedBesideAnotherAndWithoutAStore(t *testing.T) {
	s := storedServer(t)
	if !s.backups.begin() {
		t.Fatal("the first backup is refused")
	}
	const conflict = `{"error":"conflict","reason":"another backup is running"}`
	if w := ask(s, http.MethodGet, backupPath); w.Code != http.StatusConflict || w.Body.String() != conflict {
		t.Errorf("%d %.200s", w.Code, w.Body)
	}
	s.backups.end()
	if w := ask(s, http.MethodGet, backupPath); w.Code != http.StatusOK {
		t.Errorf("after the other's end: %d %.200s", w.Code, w.Body)
	}
	const nothing = `{"error":"bad_request","reason":"the broker has no store"}`
	if w := ask(newServer(t), http.MethodGet, backupPath); w.Code != http.StatusBadRequest || w.Body.String() != nothing {
		t.Errorf("%d %.200s", w.Code, w.Body)
	}
}

// interrupted is a client whose first bytes are followed by the server's shutdown.
type interrupted struct {
	http.ResponseWriter
	shutdown func()
}

func (i interrupted) Write(p []byte) (int, error) {
	defer i.shutdown()
	return i.ResponseWriter.Write(p)
}

func (i interrupted) Unwrap() http.ResponseWriter { return i.ResponseWriter }

// TestABackupThatFailsIsCutOff: its client must not take what it has for the whole.
func TestABackupThatFailsIsCutOff(t *testing.T) {
	s := storedServer(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ServeHTTP(interrupted{w, s.backups.quit}, r)
	}))
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+backupPath, nil)
	check(t, err)
	r.SetBasicAuth("guest", "guest")
	answer, err := server.Client().Do(r)
	if err == nil { // the first bytes may have come through
		_, err = io.ReadAll(answer.Body)
		answer.Body.Close()
	}
	if err == nil {
		t.Error("the client takes a part for the whole")
	}
	check(t, s.Shutdown(t.Context()))
	if s.backups.begin() {
		t.Error("a backup begins after a shutdown")
	}
}
