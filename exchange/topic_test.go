package exchange_test

import (
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/exchange"
)

// topicKeys and topicMatrix are what RabbitMQ 3.10.8 was observed to do: a pattern, and for each key whether it matches.
var topicKeys = []string{"", "a", "a.b", "a..b", "a.", ".a", ".", "..", "a.b.c", "a.x.y.b", "b"}

var topicMatrix = []struct {
	patterns []string
	matches  string
}{
	{[]string{"#", "#.#"}, "11111111111"},
	{[]string{"*"}, "-1--------1"},
	{[]string{"*.*"}, "--1-111----"},
	{[]string{"*.#", "#.*", "#.*.#"}, "-1111111111"},
	{[]string{"a.#", "a.#.#"}, "-1111---11-"},
	{[]string{"#.a"}, "-1---1-----"},
	{[]string{"a.*"}, "--1-1------"},
	{[]string{"*.a"}, "-----1-----"},
	{[]string{"a.*.b"}, "---1-------"},
	{[]string{"a.#.b"}, "--11-----1-"},
	{[]string{"#.b.#"}, "--11----111"},
	{[]string{""}, "1----------"},
	{[]string{"."}, "------1----"},
	{[]string{"#."}, "----1-11---"},
	{[]string{".#"}, "-----111---"},
	{[]string{"a."}, "----1------"},
}

func TestTopicMatchesAsObserved(t *testing.T) {
	all := declare(t, "all", "topic") // every pattern at once: they must not disturb each other
	want := make(map[string][]string)
	for _, row := range topicMatrix {
		for _, pattern := range row.patterns {
			one := declare(t, "one", "topic")
			bind(t, one, pattern, "'"+pattern+"'")
			bind(t, all, pattern, "'"+pattern+"'")
			for i, key := range topicKeys {
				matches := row.matches[i] == '1'
				if got := routedKey(t, one, key) != ""; got != matches {
					t.Errorf("pattern %q, key %q: %v, want %v", pattern, key, got, matches)
				}
				if naive := matchTopic(pattern, key); naive != matches {
					t.Errorf("naive: pattern %q, key %q: %v, want %v", pattern, key, naive, matches)
				}
				if matches {
					want[key] = append(want[key], "'"+pattern+"'")
				}
			}
		}
	}
	for _, key := range topicKeys {
		var queues []exchange.Queue
		for _, name := range want[key] {
			queues = append(queues, &queue{name})
		}
		if got := routedKey(t, all, key); got != names(queues) {
			t.Errorf("key %q: %s, want %s", key, got, names(queues))
		}
	}
}

func TestTopicWildcardsAreWholeWordsOfPatternsOnly(t *testing.T) {
	for _, c := range []struct {
		pattern, key string
		matches      bool
	}{
		{"a*", "ab", false}, {"a*", "a*", true},
		{"**", "a", false}, {"**", "**", true},
		{"##", "a.b", false}, {"##", "##", true},
		{"a.b", "a.*", false}, {"a.b", "#", false}, {"*", "#", true}, {"a.*", "a.*", true},
		{"A", "a", false},
		{"é.*", "é.ü", true}, {"*", "\xff\xfe", true},
	} {
		x := declare(t, "x", "topic")
		bind(t, x, c.pattern, "q")
		if got := routedKey(t, x, c.key) != ""; got != c.matches {
			t.Errorf("pattern %q, key %q: %v, want %v", c.pattern, c.key, got, c.matches)
		}
	}
}

func TestTopicUnbindLeavesTheOtherPatterns(t *testing.T) {
	x := declare(t, "x", "topic")
	long := bind(t, x, "a.b.#.*.c", "long")[0]
	bind(t, x, "a.b", "short")
	hash := bind(t, x, "a.b.#", "hash")[0]
	x.Unbind(toQueue(long), "a.b.#.*.c", nil)
	if got := routedKey(t, x, "a.b.x.c"); got != "hash" {
		t.Errorf("after the longest is gone: %q", got)
	}
	x.Unbind(toQueue(hash), "a.b.#", nil)
	if got := routedKey(t, x, "a.b"); got != "short" {
		t.Errorf("after the middle one is gone: %q", got)
	}
}

// A key of many words and a pattern of many wildcards can be matched in more ways than there are atoms.
func TestTopicWithManyHashesTakesLinearTime(t *testing.T) {
	x := declare(t, "x", "topic")
	bind(t, x, strings.Repeat("#.a.", 50)+"b", "never")
	bind(t, x, strings.Repeat("#.a.", 50)+"#", "always")
	key := strings.Repeat("a.", 126) + "a"
	start := time.Now()
	if got := routedKey(t, x, key); got != "always" {
		t.Errorf("routed to %q", got)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestTopicFollowsExtraKeysOfAnyLength(t *testing.T) {
	x := declare(t, "x", "topic")
	bind(t, x, "#.end", "end")
	bind(t, x, "*", "one")
	long := strings.Repeat(".", 100_000) + "end" // CC is a long string: 255 bytes is no limit there
	got := routed(new(exchange.Router), x, message(t, "a", nil, long, "b"))
	if got != "end one" {
		t.Errorf("routed to %q", got)
	}
}

// matchTopic is the rule of the specification, word by word, trying all ways.
func matchTopic(pattern, key string) bool { return matchWords(splitWords(pattern), splitWords(key)) }

func splitWords(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ".")
}

func matchWords(pattern, words []string) bool {
	switch {
	case len(pattern) == 0:
		return len(words) == 0
	case pattern[0] == "#":
		return matchWords(pattern[1:], words) || len(words) > 0 && matchWords(pattern, words[1:])
	}
	return len(words) > 0 && (pattern[0] == "*" || pattern[0] == words[0]) && matchWords(pattern[1:], words[1:])
}
