package main

import (
	"flag"
	"slices"

	"github.com/urfave/cli/v2"
)

// flags makes the command line's flags of the settings with these names, or of all.
func (s *settings) flags(names ...string) (flags []cli.Flag) {
	for _, set := range s.all {
		if len(names) > 0 && !slices.Contains(names, set.name) {
			continue
		}
		flags = append(flags, &settingFlag{
			GenericFlag: &cli.GenericFlag{
				Name:        set.name,
				Category:    set.category,
				Usage:       set.about,
				EnvVars:     []string{set.envVar()},
				DefaultText: set.value.text(),
			},
			setting: set,
		})
	}
	return flags
}

// settingFlag is a flag that only collects what it is given: what wins, and whether it is right, is decided in one
// place for flags, environment and file, by settings.resolve. So Apply does not read the environment as urfave's own
// flags do.
type settingFlag struct {
	*cli.GenericFlag // its name and its line in the help text
	setting          *setting
}

func (f *settingFlag) Apply(set *flag.FlagSet) error {
	set.Var(f, f.setting.name, f.setting.about)
	return nil
}

// Set implements flag.Value.
func (f *settingFlag) Set(word string) error {
	f.setting.flags = append(f.setting.flags, word)
	return nil
}

// String implements flag.Value and cli.Flag; urfave prints it in the help text.
func (f *settingFlag) String() string {
	if f == nil || f.GenericFlag == nil { // package flag asks a zero value for its text
		return ""
	}
	return f.GenericFlag.String()
}

// TakesValue tells the help text whether to show that a value follows.
func (f *settingFlag) TakesValue() bool { return !f.setting.value.isBool }

// IsBoolFlag tells package flag that --name alone means true.
func (f *settingFlag) IsBoolFlag() bool { return f.setting.value.isBool }
