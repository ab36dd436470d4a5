package crash_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
)

// messageID names a message, and with it everything about it: its size, its body and whether it is persistent. So what
// comes out of a broker can be judged without having kept what went in.
//
//	source(24) | number(40)
type messageID uint64

const numberBits = 40

func newID(source, number int) messageID {
	return messageID(source)<<numberBits | messageID(number)
}

func (id messageID) source() int { return int(id >> numberBits) }
func (id messageID) number() int { return int(id & (1<<numberBits - 1)) }

// String is what travels in the property message-id.
func (id messageID) String() string { return strconv.FormatUint(uint64(id), 16) }

func parseID(text []byte) (messageID, error) {
	n, err := strconv.ParseUint(string(text), 16, 64)
	if err != nil {
		return 0, fmt.Errorf("message-id %q", text)
	}
	return messageID(n), nil
}

// hash spreads the id, so that neighbours differ in everything (splitmix64).
func (id messageID) hash() uint64 {
	z := uint64(id) * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// solidSource and those above it publish persistent messages only, all of them short.
const solidSource = 1 << 22

// persistent says whether the message has delivery mode 2: seven of eight do.
func (id messageID) persistent() bool { return id.source() >= solidSource || id.hash()>>61 != 0 }

// priority is 0 to 3.
func (id messageID) priority() uint8 { return uint8(id.hash() >> 56 & 3) }

const maxBody = 1 << 20

// size is the length of the body: mostly small, now and then up to 1 MiB, and sometimes nothing.
func (id messageID) size() int {
	h := id.hash()
	spread := int(h >> 8 & 0xffffff)
	switch n := h & 0xff; {
	case id.source() >= solidSource:
		return spread % 300
	case n < 24:
		return 0
	case n < 160:
		return spread % 200
	case n < 230:
		return spread % (4 << 10)
	case n < 250:
		return spread % (32 << 10)
	case n < 254:
		return spread % (256 << 10)
	case n == 254:
		return maxBody
	}
	return spread % maxBody
}

// noise is what bodies are cut out of.
var noise = func() []byte {
	b := make([]byte, 2*maxBody)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(b) // never fails
	return b
}()

// body is valid as long as nobody writes to it.
func (id messageID) body() []byte {
	from := int(id.hash() >> 32 % maxBody)
	return noise[from : from+id.size()]
}

// check compares what came out of a broker with what went in.
func (id messageID) check(body []byte, deliveryMode uint8) error {
	if want := id.body(); !bytes.Equal(body, want) {
		return fmt.Errorf("message %s has another body: %d bytes, %d were published", id, len(body), len(want))
	}
	if (deliveryMode == 2) != id.persistent() {
		return fmt.Errorf("message %s has delivery mode %d", id, deliveryMode)
	}
	return nil
}
