//go:build race

package storage_test

// raceEnabled: under the race detector sync.Pool drops entries on purpose, so allocations cannot be counted.
const raceEnabled = true
