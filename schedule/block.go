package schedule

import "fmt"

// Block is a stretch of time that begins at a multiple of its width.
type Block struct {
	Level uint8 // index into widths
	From  int64 // unix milliseconds
}

// shifts are the widths as powers of two, in milliseconds: 1 ms, 16 ms, 1 s, 65 s, 70 minutes, 3 days, 199 days, 35 years,
// and so on up to the end of 64 bits.
var shifts = [...]uint{0, 4, 10, 16, 22, 28, 34, 40, 46, 52, 58}

// leads are how long before its beginning a block is made ready, in milliseconds: time to read, sort or split what is in
// it. Wide ones, which are always split, take a quarter of their width.
var leads = [...]int64{32, 128, 1 << 10, 1 << 14, 1 << 20, 1 << 26, 1 << 32, 1 << 38, 1 << 44, 1 << 50, 1 << 56}

const (
	// Levels is the number of widths.
	Levels = len(shifts)
	// second is the narrowest block that is made for a new message. Narrower ones come of splitting.
	second = 2
	// widestReady is the widest block that messages are given from.
	widestReady = 3
)

// blockAt returns the block of a level that holds a time.
func blockAt(level uint8, t int64) Block { return Block{level, t &^ (1<<shifts[level] - 1)} }

// last is the last millisecond of the block. (The one after it may be beyond 64 bits.)
func (b Block) last() int64 { return b.From | (1<<shifts[b.Level] - 1) }

func (b Block) holds(t int64) bool { return t >= b.From && t <= b.last() }

// nearAt is when the block has to be made ready.
func (b Block) nearAt() int64 { return b.From - leads[b.Level] }

// Valid reports whether there is such a block: it is what a tag was read from.
func (b Block) Valid() bool {
	return int(b.Level) < Levels && b.From >= 0 && b.From&(1<<shifts[b.Level]-1) == 0
}

func (b Block) String() string { return fmt.Sprintf("%d+%d", b.From, int64(1)<<shifts[b.Level]) }

// compare orders blocks by beginning; a block that others nest in stands before them.
func (b Block) compare(o Block) int {
	switch {
	case b.From != o.From:
		if b.From < o.From {
			return -1
		}
		return 1
	default:
		return int(o.Level) - int(b.Level)
	}
}
