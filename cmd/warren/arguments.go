package main

import (
	"flag"
	"fmt"

	"github.com/urfave/cli/v2"
)

// intersperse reads the flags that stand behind the words of a command, which package flag leaves alone: it stops at
// the first word. There may be so many words; afterwards ctx.Args has them first.
func intersperse(ctx *cli.Context, words int) error {
	args := ctx.Args().Slice()
	if len(args) <= words {
		return nil
	}
	if args[words] == "" || args[words][0] != '-' {
		return fmt.Errorf("unexpected argument %q; see warren --help", args[words])
	}
	more := flag.NewFlagSet(ctx.Command.Name, flag.ContinueOnError)
	more.SetOutput(ctx.App.ErrWriter)
	more.Usage = func() {}
	for _, f := range ctx.Command.Flags {
		if err := f.Apply(more); err != nil {
			return err
		}
	}
	if err := more.Parse(args[words:]); err != nil {
		return err
	}
	if more.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; see warren --help", more.Arg(0))
	}
	var err error
	more.Visit(func(f *flag.Flag) {
		if _, ok := f.Value.(*settingFlag); ok || err != nil {
			return // a setting has collected it
		}
		err = ctx.Set(f.Name, f.Value.String())
	})
	return err
}

// oneFile returns the one word of a command, which names a file, and reads the flags behind it.
func oneFile(ctx *cli.Context) (string, error) {
	if ctx.NArg() == 0 {
		return "", fmt.Errorf("no FILE is given; see warren %s --help", ctx.Command.Name)
	}
	return ctx.Args().First(), intersperse(ctx, 1)
}
