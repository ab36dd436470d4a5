package broker

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
)

// maxExpirationMillis is the largest TTL that RabbitMQ takes: ten years.
const maxExpirationMillis = 315_360_000_000

// Delivery modes of the property delivery-mode.
const (
	transient  = 1
	persistent = 2
)

// examine decodes and checks the properties of a message, fills in what queues need to know and collects the keys
// of CC and BCC in p.extra.
func (p *Publisher) examine(msg *queue.Message) error {
	props := &p.props
	if err := props.Decode(msg.Properties); err != nil {
		return err
	}
	if err := p.replyTo(msg); err != nil {
		return err
	}
	if err := p.checkUserID(props); err != nil {
		return err
	}
	if props.Has(amqp.FlagExpiration) {
		ttl, err := expiration(props.Expiration)
		if err != nil {
			return err
		}
		msg.HasTTL, msg.TTL = true, ttl
	}
	if err := p.senderSelected(props, msg); err != nil {
		return err
	}
	if props.Has(amqp.FlagDeliveryMode) {
		switch props.DeliveryMode {
		case transient:
		case persistent:
			msg.Persistent = true
		default:
			return amqp.Errorf(amqp.PreconditionFailed, "invalid message: {delivery_mode_unknown,%d}", props.DeliveryMode)
		}
	}
	msg.Priority = props.Priority
	if props.Flags&special == 0 {
		if len(msg.Properties) <= maxPlain {
			p.plain.wire = append(p.plain.wire[:0], msg.Properties...)
			p.plain.persistent, p.plain.priority = msg.Persistent, msg.Priority
		}
	}
	return nil
}

// checkUserID: a message may only name the user who sends it, unless that one is an impersonator.
func (p *Publisher) checkUserID(props *amqp.Properties) error {
	user := p.session.user
	if !props.Has(amqp.FlagUserID) || string(props.UserID) == user.Name || user.HasTag("impersonator") {
		return nil
	}
	return amqp.Errorf(amqp.PreconditionFailed, "user_id property set to '%s' but authenticated user was '%s'", props.UserID, user.Name)
}

// senderSelected collects the routing keys of the headers CC and BCC; BCC does not travel on.
func (p *Publisher) senderSelected(props *amqp.Properties, msg *queue.Message) error {
	p.extra = p.extra[:0]
	if !props.Has(amqp.FlagHeaders) {
		return nil
	}
	hidden, cc := false, 0 // cc is how many of p.extra are keys of CC
	for _, header := range [...]string{"CC", "BCC"} {
		v, ok := props.Headers.Get(header)
		if !ok {
			continue
		}
		if v.Tag != 'A' {
			p.extra = p.extra[:0]
			return amqp.Errorf(amqp.PreconditionFailed, `invalid message: {unacceptable_type_in_header,"%s",%s}`, header, v.TypeName())
		}
		for key := range v.Array() {
			if k, ok := key.String(); ok {
				p.extra = append(p.extra, k)
			}
		}
		if header == "BCC" {
			hidden = true
			msg.Hidden = hiddenKeys(p.extra[cc:])
		}
		cc = len(p.extra)
	}
	if !hidden {
		return nil
	}
	headers, err := props.Headers.Decode()
	if err != nil {
		return err
	}
	without := *props
	without.Headers = amqp.AppendTableBody(nil, headers.Without("BCC"))
	msg.Properties = without.Append(nil)
	return nil
}

// hiddenKeys packs the keys of BCC as queues keep them. Only a dead-letter exchange asks for them; what is more than
// 64 KiB is left out.
func hiddenKeys(keys [][]byte) (packed []byte) {
	for _, k := range keys {
		if len(k) <= 255 && len(packed)+1+len(k) <= 0xffff {
			packed = append(append(packed, byte(len(k))), k...)
		}
	}
	return packed
}

// expiration takes what RabbitMQ takes: an optional sign and digits, from 0 to ten years in milliseconds.
// The texts are those of Erlang's string:to_integer, which reads as far as it can and leaves the rest.
func expiration(value []byte) (millis int64, err error) {
	millis, fault := parseExpiration(value)
	if fault != "" {
		return 0, amqp.Errorf(amqp.PreconditionFailed, "invalid expiration '%s': %s", value, fault)
	}
	return millis, nil
}

func parseExpiration(value []byte) (millis int64, fault string) {
	digits := bytes.TrimLeft(value, "0123456789")
	sign := value
	if len(value) > 0 && (value[0] == '+' || value[0] == '-') {
		sign = value[1:]
		digits = bytes.TrimLeft(sign, "0123456789")
	}
	number := string(sign[:len(sign)-len(digits)])
	switch {
	case number == "":
		return 0, "no_integer"
	case len(digits) > 0:
		return 0, fmt.Sprintf("{leftover_string,%s}", erlangString(digits))
	}
	number = strings.TrimLeft(number, "0")
	if number == "" {
		number = "0"
	}
	if value[0] == '-' && number != "0" {
		return 0, outOfRange(value, "value_negative", "-"+number)
	}
	for _, d := range []byte(number) {
		if millis = millis*10 + int64(d-'0'); millis > maxExpirationMillis {
			return 0, outOfRange(value, "value_too_large", number)
		}
	}
	return millis, ""
}

// outOfRange renders a tuple as Erlang's ~p does, which breaks a line that would get longer than 80 columns. The text
// before it counts.
func outOfRange(value []byte, fault, number string) string {
	before := len(fmt.Sprintf("invalid expiration '%s': ", value))
	if before+len(fault)+len(number)+3 <= 80 {
		return fmt.Sprintf("{%s,%s}", fault, number)
	}
	return fmt.Sprintf("{%s,\n%s%s}", fault, strings.Repeat(" ", before+1), number)
}

// erlangString renders bytes as Erlang prints a list of characters.
func erlangString(b []byte) string { return strconv.Quote(string(b)) }
