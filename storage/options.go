package storage

import "time"

// Options are the sizes that a store or a log works with. The zero value means the defaults.
type Options struct {
	// ChunkBytes is the size of the largest regular chunk, in bytes; records above half of it get a chunk of
	// their own. Smaller chunks come back sooner when old messages linger, larger ones cost less per message.
	// 0 means 256 KiB. It is rounded up to a power of two and kept between 1 KiB and 256 KiB.
	ChunkBytes int

	// SegmentBytes is the size of a journal segment. 0 means 32 MiB, less on small volumes. A recovery reads up to LiveSegments of them;
	// a larger one lets more messages come and go without touching Badger.
	SegmentBytes int64

	// SpareSegments is how many retired segments are kept for reuse, which is cheaper than new files and lets a
	// commit through when the disk is full. 0 means 2, less than 0 none.
	SpareSegments int

	// LiveSegments is the number of segments at which Room makes publishers wait for the pager. 0 means 4.
	LiveSegments int

	// PendingBytes is how much may wait for the next group before Room makes publishers wait. 0 means 16 MiB.
	PendingBytes int64

	// ValueLogBytes is the size of Badger's value log files. 0 means 32 MiB, less on small volumes; at least 2 MiB, since a
	// part of a body has to fit. Space comes back by the file: small ones suit small volumes.
	ValueLogBytes int64

	// ReserveBytes is the size of a file that only takes space, to be given up when the store is opened on a full disk. 0
	// means 32 MiB, but four times ValueLogBytes at most; less than 0 none.
	ReserveBytes int64

	// JournalMemory is how much memory chunks may take that are only in the journal. Beyond it the oldest move to
	// Badger; a working set below it never does. 0 means 20 MiB.
	JournalMemory int64

	// MemoryBytes is how much memory all chunks may take. Beyond it those that nobody reads are paged out. 0 means
	// 32 MiB. It must be above JournalMemory to be kept.
	MemoryBytes int64

	// CollectBytes is how many bytes of values must have been deleted before the value log is cleaned. 0 means
	// 256 MiB.
	CollectBytes int64

	// FlushEvery is how long changes that give space back may wait before the pager writes them. 0 means 2 s.
	FlushEvery time.Duration

	// MachineMemory is how much memory there is for this process: that of the machine or of its container. Below 1 GiB
	// JournalMemory, MemoryBytes and PendingBytes take less by default. 0 means plenty.
	MachineMemory int64

	// Salvage opens a damaged store with what is whole; Store.Lost reports the rest.
	Salvage bool

	// FreeSpace returns the free bytes of the volume of a folder. nil asks the operating system.
	FreeSpace func(dir string) (int64, error)

	// Log receives what an operator should know, one line each. nil discards it.
	Log func(format string, args ...any)
}

// maxRecordBytes bounds a record: the largest message, 128 MiB, with its properties.
const maxRecordBytes = 256 << 20

const (
	defaultPending       = 16 << 20
	defaultJournalMemory = 20 << 20
	defaultMemory        = 32 << 20
)

func (o Options) withDefaults() Options {
	setDefault(&o.SegmentBytes, 32<<20)
	setDefault(&o.LiveSegments, 4)
	setDefault(&o.PendingBytes, defaultPending)
	setDefault(&o.SpareSegments, 2)
	setDefault(&o.ValueLogBytes, 32<<20)
	o.ValueLogBytes = max(o.ValueLogBytes, 2*maxPartBytes)
	setDefault(&o.ReserveBytes, min(32<<20, 4*o.ValueLogBytes))
	if o.FreeSpace == nil {
		o.FreeSpace = freeSpace
	}
	setDefault(&o.JournalMemory, defaultJournalMemory)
	setDefault(&o.MemoryBytes, defaultMemory)
	setDefault(&o.CollectBytes, 256<<20)
	setDefault(&o.FlushEvery, 2*time.Second)
	return o
}

// retireAt is the number of live segments above which the pager makes a checkpoint.
func (o *Options) retireAt() int { return max(o.LiveSegments-2, 1) }

const (
	smallVolume  = 2 << 30 // below it files are smaller
	smallMachine = 1 << 30 // below it memory is scarce
)

// scaleTo takes less where there is less, if nothing else was said: of a small volume, or of what is left of one, a 64th
// at most for each journal segment and each value log, and a 16th for what is only in the journal, since the pager must
// always have room for that; of a small machine's memory an eighth at most for chunks and for what waits.
func (o *Options) scaleTo(volumeBytes int64) {
	journal, pending := int64(defaultJournalMemory), int64(defaultPending)
	if volumeBytes < smallVolume {
		size := max(volumeBytes/64, 1<<20)
		setDefault(&o.SegmentBytes, size)
		setDefault(&o.ValueLogBytes, size)
		journal, pending = min(journal, 4*size), min(pending, 2*size)
	}
	if n := o.MachineMemory; n > 0 && n < smallMachine {
		setDefault(&o.MemoryBytes, min(max(n/20, 2<<20), defaultMemory))
		journal, pending = min(journal, max(n/32, 1<<20)), min(pending, max(n/64, 1<<20))
	}
	setDefault(&o.JournalMemory, journal)
	setDefault(&o.PendingBytes, pending)
}

func setDefault[T ~int | ~int64](v *T, value T) {
	if *v == 0 {
		*v = value
	}
}

func (o *Options) journalSizes() journalSizes {
	return journalSizes{
		segment: wholeBlocks(max(o.SegmentBytes, 2*segmentHeaderBytes)),
		first:   wholeBlocks(max(min(o.SegmentBytes, 8<<20), 2*segmentHeaderBytes)),
		spares:  max(o.SpareSegments, 0),
	}
}

func (o *Options) logf(format string, args ...any) {
	if o.Log != nil {
		o.Log(format, args...)
	}
}
