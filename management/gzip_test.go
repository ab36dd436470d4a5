package management

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestAnswersAreCompressedForThoseWhoTakeIt(t *testing.T) {
	s := newServer(t)
	a := session(t, s, "/")
	for i := range 50 {
		declare(t, a, fmt.Sprint("queue ", i))
	}
	for _, path := range []string{"/api/overview", "/api/queues", "/api/queues?page=1&page_size=10", "/api/whoami"} {
		plain := ask(s, http.MethodGet, path)
		for accepted, want := range map[string]bool{
			"gzip": true, "deflate, GZIP;q=0.5": true, "gzip;q=1.0": true, "": false, "identity": false, "gzip;q=0": false, "gzip;q=x": false, "gzipped": false,
		} {
			want = want && path != "/api/whoami" // which is too short
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.RemoteAddr = "127.0.0.1:1"
			r.SetBasicAuth("guest", "guest")
			r.Header.Set("Accept-Encoding", accepted)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			body := w.Body.Bytes()
			if compressed := w.Header().Get("Content-Encoding") == "gzip"; compressed != want {
				t.Errorf("GET %s for %q: compressed %t", path, accepted, compressed)
				continue
			}
			if want {
				if length := w.Header().Get("Content-Length"); length != "" || len(body) >= plain.Body.Len() {
					t.Errorf("GET %s: %d bytes of %d, announced as %q", path, len(body), plain.Body.Len(), length)
				}
				z, err := gzip.NewReader(w.Body)
				check(t, err)
				body, err = io.ReadAll(z)
				check(t, err)
			}
			if path != "/api/overview" && !bytes.Equal(body, plain.Body.Bytes()) { // what the overview says may change
				t.Errorf("GET %s for %q: %s", path, accepted, body)
			}
		}
	}
}
