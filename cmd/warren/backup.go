package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/warren-mq/warren/storage"
)

// backupCommand writes all that is durable to a file: from a data folder that nobody uses, or through the management
// API of the broker that does.
func (p *process) backupCommand(set *settings) *cli.Command {
	return &cli.Command{
		Name:      "backup",
		Usage:     "write all that is durable to a file, also while the broker runs",
		UsageText: "warren backup [--data-dir FOLDER | --management HOST:PORT] FILE",
		Description: "Without --management the data folder is read, or, when a broker is using it, that broker is asked on the\n" +
			"management address of the settings. The file appears once it is complete.",
		Flags: append(set.flags("config", "data-dir", "management", "default-user", "default-pass"),
			&cli.StringFlag{Name: "user", Usage: "`NAME` of an administrator, to ask a running broker (default: that of --default-user)"},
			&cli.StringFlag{Name: "password", Usage: "`PASSWORD` of that user (default: that of --default-pass)"}),
		OnUsageError: usageError(set),
		Action: func(ctx *cli.Context) error {
			file, err := oneFile(ctx)
			if err != nil {
				return err
			}
			if err := set.resolve(); err != nil {
				return err
			}
			return p.backup(ctx, set, file)
		},
	}
}

func (p *process) backup(ctx *cli.Context, set *settings, file string) error {
	work, done := p.interruptible(ctx.Context)
	defer done()
	ask := api{addr: set.config.management, user: set.config.defaultUser, password: set.config.defaultPass}
	if ctx.IsSet("user") {
		ask.user, ask.password = ctx.String("user"), ctx.String("password")
	}
	fromFolder := func(to io.Writer) error { return p.backupFolder(set.config.dataDir, to) }
	fromBroker := func(to io.Writer) error { return ask.backup(work, to) }

	from := fromFolder
	if len(set.find("management").flags) > 0 {
		from = fromBroker
	}
	written, err := p.writeBackup(work, file, from)
	if locked, ok := errors.AsType[*storage.LockedError](err); ok && ask.addr != "" {
		fmt.Fprintf(p.stderr, "%v; asking the broker on %s\n", locked, ask.addr)
		written, err = p.writeBackup(work, file, fromBroker)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s written to %s\n", roughSize(written), file)
	return err
}

// writeBackup makes the file, under another name until it is complete and synced.
func (p *process) writeBackup(ctx context.Context, file string, from func(io.Writer) error) (written int64, err error) {
	if _, err := os.Lstat(file); err == nil {
		return 0, fmt.Errorf("%s exists already; a backup goes into a new file", file)
	}
	partial := file + ".partial"
	f, err := os.OpenFile(partial, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) // it holds messages and password hashes
	if err != nil {
		return 0, err
	}
	to := &progress{ctx: ctx, to: f, report: p.stderr, what: "backup"}
	err = errors.Join(from(to), f.Sync(), f.Close())
	if err == nil {
		err = errors.Join(os.Rename(partial, file), syncFolder(filepath.Dir(file)))
	}
	if err != nil {
		return 0, firstCause(ctx, errors.Join(err, os.Remove(partial)))
	}
	return to.bytes, nil
}

// firstCause is why a piece of work failed: its interruption, or the first of its errors.
func firstCause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok && len(joined.Unwrap()) > 0 {
		return firstCause(ctx, joined.Unwrap()[0])
	}
	return err
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// backupFolder reads a data folder that no broker uses.
func (p *process) backupFolder(dir string, to io.Writer) error {
	store, err := p.openExisting(dir)
	if err != nil {
		return err
	}
	return errors.Join(store.Backup(to, nil), store.Close())
}

// openExisting opens a data folder, and makes none.
func (p *process) openExisting(dir string) (*storage.Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if !storage.Exists(abs) {
		return nil, fmt.Errorf("there is no data in %s; choose the data folder with --data-dir", abs)
	}
	store, err := storage.Open(abs, storage.Options{
		Log: func(format string, args ...any) { fmt.Fprintf(p.stderr, format+"\n", args...) },
	})
	if locked, ok := errors.AsType[*storage.LockedError](err); ok {
		return nil, locked
	}
	if err != nil {
		return nil, fmt.Errorf("data folder %s: %w", abs, err)
	}
	return store, nil
}

// backup downloads a backup. It is whole if there is no error: the broker cuts off what fails, and the end of the
// stream is checked by restore as well.
func (a api) backup(ctx context.Context, to io.Writer) error {
	if a.addr == "" {
		return errors.New("a running broker can only be asked by its management API; say where with --management")
	}
	resp, err := a.get(ctx, "/api/warren/backup")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the broker on %s refuses a backup to user %q: %s", a.addr, a.user, refusal(resp))
	}
	if _, err = io.Copy(to, resp.Body); err != nil {
		return fmt.Errorf("the backup was cut off: %w", err)
	}
	return nil
}
