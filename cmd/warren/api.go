package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// api is the management API of a running broker, and as whom to ask it.
type api struct{ addr, user, password string }

// get asks the API for a path. An address without a host means this machine.
func (a api) get(ctx context.Context, path string) (*http.Response, error) {
	host, port, err := net.SplitHostPort(a.addr)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	target := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port), Path: path}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth(a.user, a.password)
	// Never through a proxy: it is the broker beside this process that is asked.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return nil, fmt.Errorf("no management API on %s: %w", a.addr, reason(err))
	}
	return resp, nil
}

// refusal is the reason that the API gives, or the status in words.
func refusal(resp *http.Response) string {
	var body struct {
		Reason string `json:"reason"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&body); err != nil || body.Reason == "" {
		return resp.Status
	}
	return strings.TrimSpace(body.Reason)
}
