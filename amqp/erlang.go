package amqp

import "strconv"

// ErlangBinary renders b as Erlang prints a binary with ~p: <<"abc">> if every octet is printable in Latin-1,
// else <<0,1,2>>. Printable octets above 127 are kept as they are.
func ErlangBinary(b []byte) string {
	for _, c := range b {
		if !erlangPrintable(c) {
			return erlangOctets(b)
		}
	}
	if len(b) == 0 {
		return "<<>>"
	}
	s := append(make([]byte, 0, len(b)+6), `<<"`...)
	for _, c := range b {
		if e := erlangEscape(c); e != 0 {
			s = append(s, '\\', e)
		} else {
			s = append(s, c)
		}
	}
	return string(append(s, `">>`...))
}

// erlangOctets renders b as Erlang prints a binary with ~w.
func erlangOctets(b []byte) string {
	s := append(make([]byte, 0, 4*len(b)+4), "<<"...)
	for i, c := range b {
		if i > 0 {
			s = append(s, ',')
		}
		s = strconv.AppendUint(s, uint64(c), 10)
	}
	return string(append(s, ">>"...))
}

func erlangPrintable(c byte) bool {
	return c >= ' ' && c <= '~' || c >= 0xA0 || c >= '\b' && c <= '\r' || c == 0x1B
}

// erlangEscape returns the letter of the escape sequence for c, 0 if it needs none.
func erlangEscape(c byte) byte {
	switch c {
	case '"', '\\':
		return c
	case '\b':
		return 'b'
	case '\t':
		return 't'
	case '\n':
		return 'n'
	case '\v':
		return 'v'
	case '\f':
		return 'f'
	case '\r':
		return 'r'
	case 0x1B:
		return 'e'
	}
	return 0
}
