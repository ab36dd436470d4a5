package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"

	"github.com/warren-mq/warren/storage"
)

// openDataDir makes the data folder if need be, and sees that files can be written in it, so that a wrong owner or a
// read-only volume shows at the start and not with the first message. It returns the absolute path.
func openDataDir(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("data folder %s: %w", dir, err)
	}
	if err := os.MkdirAll(abs, 0o750); err != nil {
		return "", dataDirError(abs, err)
	}
	probe, err := os.CreateTemp(abs, ".writable-*")
	if err != nil {
		return "", dataDirError(abs, err)
	}
	return abs, errors.Join(probe.Close(), os.Remove(probe.Name()))
}

func dataDirError(dir string, err error) error {
	// The reason without the path that failed, which may be that of the probe.
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return fmt.Errorf("cannot write in the data folder %s: %w; choose another with --data-dir", dir, err)
}

// openStore opens what the data folder holds. What salvage could not save is logged. memory is
// what there is, 0 if that is unknown.
func openStore(dir string, c config, memory uint64, log zerolog.Logger) (*storage.Store, error) {
	store, err := storage.Open(dir, storage.Options{
		Salvage:       c.salvage,
		MachineMemory: int64(memory),
		Log:           func(format string, args ...any) { log.Info().Msgf(format, args...) },
	})
	if locked, ok := errors.AsType[*storage.LockedError](err); ok {
		return nil, locked
	}
	if _, damaged := errors.AsType[*storage.CorruptError](err); damaged && !c.salvage {
		return nil, fmt.Errorf("data folder %s: %w; copy the folder, then start with --salvage to go on with what is whole", dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("data folder %s: %w", dir, err)
	}
	lost, _ := store.Lost()
	for _, what := range lost {
		log.Error().Str("data_dir", dir).Str("damage", what).Msg("salvage: lost what was here")
	}
	if c.salvage {
		log.Warn().Int("damages", len(lost)).Msg("salvage is on: leave it out of the next start")
	}
	return store, nil
}
