package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/storage"
)

// checkCommand reads everything in a data folder that no broker uses.
func (p *process) checkCommand(set *settings) *cli.Command {
	return &cli.Command{
		Name:  "check",
		Usage: "read everything in the data folder of a stopped broker, and report what is damaged",
		Description: "Exit 0 if all can be read, 1 if not. The first damage in the journal ends the check; damaged messages behind\n" +
			"it are listed by queue.",
		Flags:        set.flags("config", "data-dir"),
		OnUsageError: usageError(set),
		Action: func(ctx *cli.Context) error {
			if err := intersperse(ctx, 0); err != nil {
				return err
			}
			if err := set.resolve(); err != nil {
				return err
			}
			store, err := p.openExisting(set.config.dataDir)
			if err != nil {
				return err
			}
			return errors.Join(p.check(store), store.Close())
		},
	}
}

// check reads the table and every chunk. The journal was read when the store was opened.
func (p *process) check(store *storage.Store) error {
	fmt.Fprintf(p.stdout, "journal: whole up to commit %d\n", store.Durable())
	definitions := 0
	err := store.Table(nil, func([]byte, []byte) error { definitions++; return nil })
	if err != nil {
		return fmt.Errorf("definitions: %w", err)
	}
	fmt.Fprintf(p.stdout, "definitions: %d, whole\n", definitions)

	store.Enter()
	owners, messages := map[storage.LogID]string{}, 0
	for _, l := range store.Logs() {
		vhost, queue, _ := broker.LogOwner(l)
		owners[l.ID()] = fmt.Sprintf("queue '%s' in vhost '%s'", queue, vhost)
		messages += l.Count()
	}
	store.Leave()
	damaged := 0
	chunks := store.Check(func(log storage.LogID, from, to uint64, err error) {
		damaged++
		fmt.Fprintf(p.stdout, "%s: messages %d to %d cannot be read: %v\n", owners[log], from, to-1, err)
	})
	fmt.Fprintf(p.stdout, "messages: %d; chunks in the database: %d, damaged: %d\n", messages, chunks, damaged)
	if damaged > 0 {
		return fmt.Errorf("%d of %d chunks are damaged; the broker serves the rest", damaged, chunks)
	}
	return nil
}
