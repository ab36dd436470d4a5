package management

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
)

// fault is a refusal as the client gets it. Without a name it has no body.
type fault struct {
	status int
	login  bool   // another login may help
	Name   string `json:"error"`
	Reason string `json:"reason"`
}

func (f *fault) Error() string {
	if f.Name == "" {
		return http.StatusText(f.status)
	}
	return f.Name + ": " + f.Reason
}

var errNotFound = &fault{status: http.StatusNotFound, Name: "Object Not Found", Reason: "Not Found"}

// refuse sends an error.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	f, ok := errors.AsType[*fault](err)
	if !ok {
		s.log.Error().Err(err).Str("path", r.URL.Path).Msg("cannot answer an HTTP request")
		f = &fault{status: http.StatusInternalServerError}
	}
	h := w.Header()
	h.Del("Cache-Control")
	if f.status == http.StatusUnauthorized {
		h.Set("Vary", "origin")
	}
	if f.login {
		h.Set("WWW-Authenticate", `Basic realm="RabbitMQ Management"`)
	}
	if f.Name == "" {
		w.WriteHeader(f.status)
		return
	}
	s.send(w, r, f.status, f)
}

// answer sends what a handler returned, reduced to the columns that were asked for.
func (s *Server) answer(w http.ResponseWriter, r *request, v any) {
	w.Header().Set("Cache-Control", "no-cache")
	status := http.StatusOK
	switch v := v.(type) {
	case collection:
		s.answerList(w, r, v)
		return
	case healthCheck:
		status = v.status()
	}
	s.send(w, r.Request, status, r.query.columns.of(v))
}

// send writes a small value: one that fits into memory without a thought.
func (s *Server) send(w http.ResponseWriter, r *http.Request, status int, v any) {
	var body bytes.Buffer
	if err := encode(&body, v); err != nil {
		s.log.Error().Err(err).Msg("cannot encode an HTTP answer")
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if body.Len() >= minGzipBytes && acceptsGzip(r) {
		z := compress(w)
		defer z.Close()
		w = z
	} else {
		w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	}
	w.WriteHeader(status)
	w.Write(body.Bytes()) // fails only if the client has gone
}

// encode appends the JSON of v, without a line feed behind it.
func encode(to *bytes.Buffer, v any) error {
	e := json.NewEncoder(to)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	to.Truncate(to.Len() - 1)
	return nil
}
