//go:build !lockorder

package queue

import "sync"

// The locks that are held together, in their order; docs/architecture.md says what they guard. Those of the broker and
// the server have their types here because the order needs them all in one place, and both stand on this package. With
// the build tag lockorder they watch over it.
type (
	VHostLock  = sync.Mutex
	WindowLock = sync.Mutex // of a deduplication
	DelaysLock = sync.Mutex
	queueLock  = sync.Mutex
	OutboxLock = sync.Mutex
)

// EpochEntered and EpochLeft tell that the goroutine is between Enter and Leave of the broker.
func EpochEntered() {}
func EpochLeft()    {}
