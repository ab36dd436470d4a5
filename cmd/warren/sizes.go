package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// size takes a number of bytes from least to most.
func size(p *uint64, least, most uint64) value {
	return one(func() string { return formatSize(*p) }, func(word string) error {
		n, err := parseSize(word)
		if err != nil {
			return err
		}
		if n < least || n > most {
			return fmt.Errorf("%q is not between %s and %s", word, formatSize(least), formatSize(most))
		}
		*p = n
		return nil
	})
}

// threshold is an amount of bytes, given as such or as a fraction of the machine's memory.
type threshold struct {
	fraction float64 // 0: bytes is given
	bytes    uint64
	auto     bool // neither: whoever uses it computes it
}

// of returns the threshold in bytes on a machine, or in a container, with so much memory.
func (t threshold) of(memory uint64) uint64 {
	if t.fraction > 0 {
		return uint64(t.fraction * float64(memory))
	}
	return t.bytes
}

// watermarkOrAuto takes what watermark takes, or auto.
func watermarkOrAuto(p *threshold) value {
	given := watermark(p)
	return one(func() string {
		if p.auto {
			return "auto"
		}
		return given.text()
	}, func(word string) error {
		if word == "auto" {
			*p = threshold{auto: true}
			return nil
		}
		if err := given.set([]string{word}); err != nil {
			return fmt.Errorf("%w, nor auto", err)
		}
		return nil
	})
}

// watermark takes a size, or a fraction with a decimal point, or none.
func watermark(p *threshold) value {
	text := func() string {
		switch {
		case p.fraction > 0:
			return strconv.FormatFloat(p.fraction, 'f', -1, 64)
		case p.bytes == 0:
			return "none"
		}
		return formatSize(p.bytes)
	}
	return one(text, func(word string) error {
		if word == "none" {
			*p = threshold{}
			return nil
		}
		if f, err := strconv.ParseFloat(word, 64); err == nil && strings.Contains(word, ".") {
			if f <= 0 || f > 100 || math.IsNaN(f) {
				return fmt.Errorf("%q is not a fraction above 0.0", word)
			}
			*p = threshold{fraction: f}
			return nil
		}
		n, err := parseSize(word)
		if err != nil {
			return fmt.Errorf("%w, nor a fraction such as 0.4, nor none", err)
		}
		*p = threshold{bytes: n}
		return nil
	})
}

// sizeUnits are RabbitMQ's, but for its single letters: k, M and G are powers of 1024 in some of its versions and of
// 1000 in others.
var sizeUnits = []struct {
	name  string
	bytes uint64
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1}, {"", 1},
}

// parseSize reads a whole number of bytes, with or without a unit.
func parseSize(word string) (uint64, error) {
	digits := strings.TrimRight(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
	for _, u := range sizeUnits {
		if u.name != word[len(digits):] {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || n > math.MaxInt64/u.bytes {
			break
		}
		return n * u.bytes, nil
	}
	return 0, fmt.Errorf("%q is not a size, such as 1000000, 50MB or 128MiB", word)
}

// formatSize prints a number of bytes in the largest unit that divides it.
func formatSize(n uint64) string {
	for _, u := range sizeUnits {
		if n != 0 && n%u.bytes == 0 {
			return strconv.FormatUint(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatUint(n, 10)
}
