package amqp

import "encoding/binary"

// Property flags: which properties of the content are present (AMQP 0-9-1, section 4.2.6.1).
const (
	FlagContentType     = 1 << 15
	FlagContentEncoding = 1 << 14
	FlagHeaders         = 1 << 13
	FlagDeliveryMode    = 1 << 12
	FlagPriority        = 1 << 11
	FlagCorrelationID   = 1 << 10
	FlagReplyTo         = 1 << 9
	FlagExpiration      = 1 << 8
	FlagMessageID       = 1 << 7
	FlagTimestamp       = 1 << 6
	FlagType            = 1 << 5
	FlagUserID          = 1 << 4
	FlagAppID           = 1 << 3
	FlagClusterID       = 1 << 2
)

// Properties are the properties of a content of class basic. A property counts only if its flag is set; nothing is
// defaulted. The []byte fields are views of what was decoded, any octets (RabbitMQ does not ask for UTF-8 here).
type Properties struct {
	Flags           uint16
	ContentType     []byte
	ContentEncoding []byte
	Headers         RawTable
	DeliveryMode    uint8 // 2 is persistent
	Priority        uint8
	CorrelationID   []byte
	ReplyTo         []byte
	Expiration      []byte // milliseconds, as text
	MessageID       []byte
	Timestamp       uint64 // seconds since 1970
	Type            []byte
	UserID          []byte
	AppID           []byte
	ClusterID       []byte
}

// Has tells whether the property with that flag is present.
func (p *Properties) Has(flag uint16) bool { return p.Flags&flag != 0 }

// Decode reads flags and values, and checks all of them, the headers too. It does not allocate. It fails with
// INTERNAL_ERROR without a reason, since that is how RabbitMQ 3.10.8 answers: its channel crashes.
// Like RabbitMQ it ignores the two flags that stand for nothing.
func (p *Properties) Decode(wire []byte) error {
	*p = Properties{}
	if len(wire) < 2 {
		return &Error{Code: InternalError}
	}
	p.Flags = binary.BigEndian.Uint16(wire)
	c := cursor{b: wire[2:]}
	p.decode(&c)
	if c.truncated || len(c.b) != 0 || c.err != nil {
		return &Error{Code: InternalError}
	}
	return nil
}

func (p *Properties) decode(c *cursor) {
	if p.Has(FlagContentType) {
		p.ContentType = c.shortstrView()
	}
	if p.Has(FlagContentEncoding) {
		p.ContentEncoding = c.shortstrView()
	}
	if p.Has(FlagHeaders) {
		p.Headers = c.rawTable()
	}
	if p.Has(FlagDeliveryMode) {
		p.DeliveryMode = c.octet()
	}
	if p.Has(FlagPriority) {
		p.Priority = c.octet()
	}
	if p.Has(FlagCorrelationID) {
		p.CorrelationID = c.shortstrView()
	}
	if p.Has(FlagReplyTo) {
		p.ReplyTo = c.shortstrView()
	}
	if p.Has(FlagExpiration) {
		p.Expiration = c.shortstrView()
	}
	if p.Has(FlagMessageID) {
		p.MessageID = c.shortstrView()
	}
	if p.Has(FlagTimestamp) {
		p.Timestamp = c.longlong()
	}
	if p.Has(FlagType) {
		p.Type = c.shortstrView()
	}
	if p.Has(FlagUserID) {
		p.UserID = c.shortstrView()
	}
	if p.Has(FlagAppID) {
		p.AppID = c.shortstrView()
	}
	if p.Has(FlagClusterID) {
		p.ClusterID = c.shortstrView()
	}
}

// Append appends flags and values.
func (p *Properties) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, p.Flags)
	if p.Has(FlagContentType) {
		dst = appendShortstr(dst, p.ContentType)
	}
	if p.Has(FlagContentEncoding) {
		dst = appendShortstr(dst, p.ContentEncoding)
	}
	if p.Has(FlagHeaders) {
		dst = appendLongstr(dst, p.Headers)
	}
	if p.Has(FlagDeliveryMode) {
		dst = append(dst, p.DeliveryMode)
	}
	if p.Has(FlagPriority) {
		dst = append(dst, p.Priority)
	}
	if p.Has(FlagCorrelationID) {
		dst = appendShortstr(dst, p.CorrelationID)
	}
	if p.Has(FlagReplyTo) {
		dst = appendShortstr(dst, p.ReplyTo)
	}
	if p.Has(FlagExpiration) {
		dst = appendShortstr(dst, p.Expiration)
	}
	if p.Has(FlagMessageID) {
		dst = appendShortstr(dst, p.MessageID)
	}
	if p.Has(FlagTimestamp) {
		dst = binary.BigEndian.AppendUint64(dst, p.Timestamp)
	}
	if p.Has(FlagType) {
		dst = appendShortstr(dst, p.Type)
	}
	if p.Has(FlagUserID) {
		dst = appendShortstr(dst, p.UserID)
	}
	if p.Has(FlagAppID) {
		dst = appendShortstr(dst, p.AppID)
	}
	if p.Has(FlagClusterID) {
		dst = appendShortstr(dst, p.ClusterID)
	}
	return dst
}
