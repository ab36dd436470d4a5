package main

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// value connects a setting to the field of the configuration that it fills.
type value struct {
	// set parses what a flag, a variable or the file gave: one word, or several where a setting may be repeated. Errors
	// name the word and what would be right, not the setting.
	set func(words []string) error
	// text is the value in words, as the setting accepts it. Before set it is the default.
	text func() string
	// isBool says that the flag alone means true.
	isBool bool
}

const maxDuration = 100 * 365 * 24 * time.Hour

// one makes a value that takes a single word; of a repeated flag the last one counts.
func one(text func() string, parse func(word string) error) value {
	return value{text: text, set: func(words []string) error { return parse(words[len(words)-1]) }}
}

// text takes any words, also none.
func text(p *string) value {
	return one(func() string { return *p }, func(word string) error {
		*p = word
		return nil
	})
}

// nonEmpty takes any words.
func nonEmpty(p *string) value {
	return one(func() string { return *p }, func(word string) error {
		if word == "" {
			return fmt.Errorf("must not be empty")
		}
		*p = word
		return nil
	})
}

// choice takes one of the words.
func choice(p *string, words ...string) value {
	return one(func() string { return *p }, func(word string) error {
		if !slices.Contains(words, word) {
			return fmt.Errorf("%q is not one of %s", word, strings.Join(words, ", "))
		}
		*p = word
		return nil
	})
}

// boolean takes true and false.
func boolean(p *bool) value {
	v := one(func() string { return strconv.FormatBool(*p) }, func(word string) (err error) {
		if *p, err = strconv.ParseBool(word); err != nil {
			return fmt.Errorf("%q is neither true nor false", word)
		}
		return nil
	})
	v.isBool = true
	return v
}

// integer takes whole numbers from least to most.
func integer[T uint16 | uint32](p *T, least, most T) value {
	return one(func() string { return strconv.FormatUint(uint64(*p), 10) }, func(word string) error {
		n, err := strconv.ParseUint(word, 10, 64)
		if err != nil || n < uint64(least) || n > uint64(most) {
			return fmt.Errorf("%q is not a whole number from %d to %d", word, least, most)
		}
		*p = T(n)
		return nil
	})
}

// duration takes times with a unit, such as 500ms or 1m30s. A bare number is refused, since RabbitMQ reads it as
// seconds in one place and as milliseconds in another.
func duration(p *time.Duration, least, most time.Duration) value {
	return one(func() string { return shortDuration(*p) }, func(word string) error {
		d, err := time.ParseDuration(word)
		if err != nil {
			return fmt.Errorf("%q is not a time with a unit, such as 500ms or 1m30s", word)
		}
		if d < least || d > most {
			return fmt.Errorf("%q is out of range", word)
		}
		*p = d
		return nil
	})
}

// wholeSeconds takes times without fractions of a second, up to most seconds.
func wholeSeconds(p *time.Duration, most int) value {
	anyTime := duration(p, 0, maxDuration)
	return one(anyTime.text, func(word string) error {
		before := *p
		if err := anyTime.set([]string{word}); err != nil {
			return err
		}
		if *p%time.Second != 0 || *p > time.Duration(most)*time.Second {
			*p = before
			return fmt.Errorf("%q is not a whole number of seconds up to %d", word, most)
		}
		return nil
	})
}

// shortDuration prints 1m0s as 1m.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// address takes host:port, with an empty host for all interfaces.
func address(word string) error {
	host, port, err := net.SplitHostPort(word)
	if err != nil {
		return fmt.Errorf("%q is not HOST:PORT, such as 127.0.0.1:5672, [::1]:5672 or :5672", word)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q has no port from 0 to 65535", word)
	} else if strings.ContainsAny(host, " /") {
		return fmt.Errorf("%q has no host that could be listened on with port %d", word, n)
	}
	return nil
}

// addresses takes one or more addresses, also comma separated.
func addresses(p *[]string) value {
	all := list(p)
	return value{text: all.text, set: func(words []string) error {
		before := *p
		_ = all.set(words) // takes everything
		for _, a := range *p {
			if err := address(a); err != nil {
				*p = before
				return err
			}
		}
		if len(*p) == 0 {
			*p = before
			return fmt.Errorf("at least one HOST:PORT is needed")
		}
		return nil
	}}
}

// optionalAddress takes an address or none, which empties the field.
func optionalAddress(p *string) value {
	text := func() string {
		if *p == "" {
			return "none"
		}
		return *p
	}
	return one(text, func(word string) error {
		if word == "none" {
			word = ""
		} else if err := address(word); err != nil {
			return fmt.Errorf("%w, nor none", err)
		}
		*p = word
		return nil
	})
}

// list takes words, also comma separated; none alone, or an empty array in the file, empties it.
func list(p *[]string) value {
	text := func() string {
		if len(*p) == 0 {
			return "none"
		}
		return strings.Join(*p, ",")
	}
	return value{text: text, set: func(words []string) error {
		*p = nil
		for _, word := range words {
			for part := range strings.SplitSeq(word, ",") {
				if part = strings.TrimSpace(part); part != "" && part != "none" {
					*p = append(*p, part)
				}
			}
		}
		return nil
	}}
}
