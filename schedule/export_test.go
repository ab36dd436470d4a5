package schedule

// For tests of the encoding.
var (
	RecordSize = recordSize
	Encode     = encode
	Decode     = decode
)
