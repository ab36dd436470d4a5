// Package dedup remembers which messages were there before: exactly, for a time, a count, or both.
//
// A [Window] holds the identities of messages in the order in which they came, 128 bits each, and about 64 bytes of
// memory for one. It knows neither queues nor disk: the broker asks it before a message is enqueued, keeps its entries in
// the store with the same commit, and fills it again at the start.
//
// A message is named by its property message-id or by a header. Its identity is cut from a SHA-256, so that two names
// are taken for one with a probability that need not be considered, even if somebody tries: half of 2^128 is 2^64 tries.
//
// Nothing here locks or asks a clock; times are unix milliseconds and come as arguments.
package dedup
