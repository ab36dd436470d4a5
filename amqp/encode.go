package amqp

import (
	"encoding/binary"
	"unicode/utf8"
)

// maxShortstr is the longest short string in octets.
const maxShortstr = 255

// appendShortstr appends a short string. Names are limited where they are accepted; should a longer one get here,
// it is cut before a character, since half a character or a wrong length would make the peer refuse the frame.
func appendShortstr[T ~string | ~[]byte](dst []byte, s T) []byte {
	if len(s) > maxShortstr {
		s = T(cutText(string(s), maxShortstr))
	}
	dst = append(dst, byte(len(s)))
	return append(dst, s...)
}

func appendLongstr[T ~string | ~[]byte](dst []byte, s T) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)))
	return append(dst, s...)
}

// bit returns 1<<n for true.
func bit(b bool, n int) byte {
	if b {
		return 1 << n
	}
	return 0
}

// cutText returns the longest prefix of s of at most n octets that does not end within a character.
func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := n; i > n-utf8.UTFMax && i > 0; i-- {
		if utf8.RuneStart(s[i]) {
			return s[:i]
		}
	}
	return s[:n]
}
