package amqp

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ErlangBinary renders b as Erlang prints a binary with ~p: <<"abc">> if every octet is printable in Latin-1,
// else <<0,1,2>>. Printable octets above 127 are kept as they are. Long ones are not broken into lines.
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

// Erlang's ~p breaks lines at these widths: all of a line, and a term without its indentation.
const (
	erlangLine = 80
	erlangTerm = 60
)

// erlangBinaryAt renders up to 16 octets as Erlang prints a binary with ~p when column characters stand before it on the
// line: one of numbers that would reach the end of the line goes on below its first number.
func erlangBinaryAt(column int, b []byte) string {
	flat := ErlangBinary(b)
	if len(flat) < erlangLine-column && len(flat) <= erlangTerm {
		return flat
	}
	indent := column + len("<<")
	width := max(8, min(erlangLine-1-indent, erlangTerm-len("<<>>")))
	var s strings.Builder
	room := width
	for number := range strings.SplitAfterSeq(flat[len("<<"):len(flat)-len(">>")], ",") {
		if room < len(number) {
			s.WriteString("\n" + strings.Repeat(" ", indent))
			room = width
		}
		s.WriteString(number)
		room -= len(number)
	}
	return "<<" + s.String() + ">>"
}

// ErlangTerm renders a field value as Erlang prints what RabbitMQ makes of it with ~p, on one line: a longstr is a
// binary, void is undefined, an array a list of {Type,Value}, a table a list of {Key,Type,Value}.
func ErlangTerm(v any) string { return string(appendErlangTerm(nil, v)) }

func appendErlangTerm(s []byte, v any) []byte {
	if n, ok := Integer(v); ok {
		return strconv.AppendInt(s, n, 10)
	}
	switch v := v.(type) {
	case nil:
		return append(s, "undefined"...)
	case bool:
		return strconv.AppendBool(s, v)
	case float32:
		return append(s, erlangFloat(float64(v))...)
	case float64:
		return append(s, erlangFloat(v)...)
	case Decimal:
		return fmt.Appendf(s, "{%d,%d}", v.Scale, v.Value)
	case Timestamp:
		return strconv.AppendUint(s, uint64(v), 10)
	case string:
		return append(s, ErlangBinary([]byte(v))...)
	case Binary:
		return append(s, ErlangBinary(v)...)
	case Array:
		s = append(s, '[')
		for i, e := range v {
			if i > 0 {
				s = append(s, ',')
			}
			s = append(append(append(s, '{'), TypeName(e)...), ',')
			s = append(appendErlangTerm(s, e), '}')
		}
		return append(s, ']')
	case Table:
		s = append(s, '[')
		for i, f := range v {
			if i > 0 {
				s = append(s, ',')
			}
			s = append(append(append(s, '{'), ErlangBinary([]byte(f.Name))...), ',')
			s = append(append(append(s, TypeName(f.Value)...), ','), appendErlangTerm(nil, f.Value)...)
			s = append(s, '}')
		}
		return append(s, ']')
	}
	panic(fmt.Sprintf("amqp: a %T is no field value", v))
}

// erlangFloat renders a finite float with the least digits that tell it from others: 1.5, 1.0e3. As in Erlang the
// shorter of the two notations wins, the plain one in a tie unless the number is too large to be exact.
func erlangFloat(f float64) string {
	plain := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(plain, ".") {
		plain += ".0"
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, _ := strconv.Atoi(exponent) // drops the plus sign and the leading zero
	scientific := mantissa + "e" + strconv.Itoa(n)
	if len(scientific) < len(plain) || math.Abs(f) >= 1<<53 {
		return scientific
	}
	return plain
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
