package main

import (
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"
)

// timeFormat is RFC 3339 with milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// newLogger makes the one logger of the process. Everything else is handed it, or a child of it.
func newLogger(out io.Writer, c config) (zerolog.Logger, error) {
	level, err := zerolog.ParseLevel(c.logLevel)
	if err != nil {
		return zerolog.Logger{}, err
	}
	if c.logFormat == "console" {
		out = zerolog.ConsoleWriter{Out: out, TimeFormat: time.DateTime + ".000", NoColor: !isTerminal(out)}
	}
	return zerolog.New(out).Level(level).With().Timestamp().Logger(), nil
}

// isTerminal says whether colours make sense: a file or a pipe would keep them as noise.
func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
