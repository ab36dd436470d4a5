package management

import (
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// minGzipBytes is the least body that is worth compressing.
const minGzipBytes = 300

// acceptsGzip reports whether a client takes gzip. A weight of 0 says that it does not.
func acceptsGzip(r *http.Request) bool {
	for _, header := range r.Header.Values("Accept-Encoding") {
		for coding := range strings.SplitSeq(header, ",") {
			name, parameter, _ := strings.Cut(coding, ";")
			if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
				continue
			}
			weight, given := strings.CutPrefix(strings.TrimSpace(parameter), "q=")
			if q, err := strconv.ParseFloat(weight, 64); !given || err == nil && q > 0 {
				return true
			}
		}
	}
	return false
}

// gzipWriter compresses what is written to it. Close ends the body.
type gzipWriter struct {
	http.ResponseWriter
	gzip *gzip.Writer
}

var gzipWriters = sync.Pool{New: func() any {
	z, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is one
	}
	return z
}}

// compress is called before the header is sent.
func compress(w http.ResponseWriter) *gzipWriter {
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Del("Content-Length")
	z := gzipWriters.Get().(*gzip.Writer)
	z.Reset(w)
	return &gzipWriter{w, z}
}

func (w *gzipWriter) Write(p []byte) (int, error) { return w.gzip.Write(p) }

// Close sends what is left. It fails only if the client has gone.
func (w *gzipWriter) Close() {
	w.gzip.Close()
	gzipWriters.Put(w.gzip)
}
