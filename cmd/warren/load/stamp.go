package load

import (
	"encoding/binary"
	"time"
)

// A stamp begins every body that has room for it:
//
//	0                       8                      16
//	┌───────────────────────┬───────────────────────┐
//	│ the run, at random    │ ns since its start    │   big-endian
//	└───────────────────────┴───────────────────────┘
//
// So what an earlier run has left in a queue is not taken for a message of this one.
const stampBytes = 16

func putStamp(body []byte, run uint64, at time.Duration) {
	if len(body) >= stampBytes {
		binary.BigEndian.PutUint64(body, run)
		binary.BigEndian.PutUint64(body[8:], uint64(at))
	}
}

// stampOf returns when a message of this run was sent.
func stampOf(body []byte, run uint64) (at time.Duration, ok bool) {
	if len(body) < stampBytes || binary.BigEndian.Uint64(body) != run {
		return 0, false
	}
	return time.Duration(binary.BigEndian.Uint64(body[8:])), true
}
