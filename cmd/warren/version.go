package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is set by the release build: -ldflags "-X main.release=1.2.3".
var release string

// version is what this binary is: the release, or "development" with the commit if the build knows it.
func version() string {
	number, commit := release, ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if number == "" && info.Main.Version != "" && info.Main.Version != "(devel)" {
			number = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = " " + s.Value[:min(12, len(s.Value))]
			}
		}
	}
	if number == "" {
		number = "development"
	}
	return fmt.Sprintf("%s%s (%s, %s/%s)", number, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
