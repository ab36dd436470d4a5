//go:build !linux

package storage

// dropMapped does nothing here: mapped files count in the memory of the process.
func (s *Store) dropMapped() {}
