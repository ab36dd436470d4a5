package auth

import (
	"bytes"
	"errors"

	"github.com/warren-mq/warren/amqp"
)

// Mechanism is a way to log in (SASL, spec 4.6): its name as offered in connection.start, and how it reads the
// response of connection.start-ok.
type Mechanism struct {
	Name string

	// Credentials reads a response. An error says what is malformed; it is for the log. The client is told nothing.
	Credentials func(response []byte) (user, password string, err error)
}

// Mechanisms returns those offered, in the order of RabbitMQ 3.10.8's list.
func Mechanisms() []Mechanism {
	return []Mechanism{
		{Name: "AMQPLAIN", Credentials: amqplain},
		{Name: "PLAIN", Credentials: plain},
	}
}

// ErrUnknownMechanism is returned by Response for a mechanism that was not offered.
var ErrUnknownMechanism = errors.New("unknown authentication mechanism")

// Response reads the response of the named mechanism.
func Response(mechanism string, response []byte) (user, password string, err error) {
	for _, m := range Mechanisms() {
		if m.Name == mechanism {
			return m.Credentials(response)
		}
	}
	return "", "", ErrUnknownMechanism
}

// plain reads NUL user NUL password (RFC 4616). An identity to act as, before the first NUL, is not supported.
func plain(response []byte) (user, password string, err error) {
	parts := bytes.Split(response, []byte{0})
	if len(parts) != 3 || len(parts[0]) != 0 {
		return "", "", errors.New("response of PLAIN is not NUL user NUL password")
	}
	return string(parts[1]), string(parts[2]), nil
}

// amqplain reads a field table without its length, with the strings LOGIN and PASSWORD (spec 0-8's mechanism). A value
// of another type is a wrong password, not a malformed response (3.10.8).
func amqplain(response []byte) (user, password string, err error) {
	table, err := amqp.RawTable(response).Decode()
	if err != nil {
		return "", "", errors.New("response of AMQPLAIN is not a field table")
	}
	login, ok := text(table, "LOGIN")
	if !ok {
		return "", "", errors.New("response of AMQPLAIN lacks LOGIN")
	}
	if password, ok = text(table, "PASSWORD"); !ok {
		return "", "", errors.New("response of AMQPLAIN lacks PASSWORD")
	}
	return login, password, nil
}

func text(t amqp.Table, name string) (string, bool) {
	v, _ := t.Get(name)
	switch v := v.(type) {
	case string:
		return v, true
	case amqp.Binary:
		return string(v), true
	}
	_, ok := t.Get(name)
	return "", ok
}
