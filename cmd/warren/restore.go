package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/warren-mq/warren/storage"
)

// restoreCommand makes a data folder of a backup.
func (p *process) restoreCommand(set *settings) *cli.Command {
	return &cli.Command{
		Name:         "restore",
		Usage:        "make a new data folder of a backup",
		UsageText:    "warren restore FILE --data-dir FOLDER",
		Description:  "The folder must be empty or not exist yet. Nothing is left in it if the backup is damaged.",
		Flags:        set.flags("config", "data-dir"),
		OnUsageError: usageError(set),
		Action: func(ctx *cli.Context) error {
			file, err := oneFile(ctx)
			if err != nil {
				return err
			}
			if err := set.resolve(); err != nil {
				return err
			}
			return p.restore(ctx, file, set.config.dataDir)
		},
	}
}

func (p *process) restore(ctx *cli.Context, file, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close() // it was only read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	work, done := p.interruptible(ctx.Context)
	defer done()
	from := &progress{ctx: work, from: f, report: p.stderr, what: "restore", total: info.Size()}
	err = storage.Restore(from, dir, storage.Options{})
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s is not a whole backup: it ends after %s", file, roughSize(from.bytes))
	case err != nil:
		return fmt.Errorf("%s: %w", file, firstCause(work, err))
	}
	_, err = fmt.Fprintf(p.stdout, "%s restored to %s\n", roughSize(from.bytes), dir)
	return err
}
