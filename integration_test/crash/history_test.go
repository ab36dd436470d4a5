package crash_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// history is how the facts about a world changed with each step. After a stop the broker has to be where it was after
// one of the steps: after the last one that is proven, or later.
type history struct {
	now   map[fact]bool // after the last step
	steps [][]change    // those that may or may not have come about; the first is number base
	base  int           // steps that are proven
	notes []string      // what each of steps was
}

type change struct {
	fact    fact
	present bool
}

func newHistory(facts map[fact]bool) *history { return &history{now: facts} }

// step begins the next step and returns its number.
func (h *history) step(note string) int {
	h.steps = append(h.steps, nil)
	h.notes = append(h.notes, note)
	return h.base + len(h.steps) - 1
}

// change is part of the current step.
func (h *history) change(f fact, present bool) {
	last := &h.steps[len(h.steps)-1]
	*last = append(*last, change{f, present})
	if present {
		h.now[f] = true
	} else {
		delete(h.now, f)
	}
}

// prove notes that all steps up to this one are durable.
func (h *history) prove(step int) {
	if n := step + 1 - h.base; n > 0 {
		h.steps, h.notes, h.base = h.steps[n:], h.notes[n:], h.base+n
	}
}

// proven is the state after the last step that is.
func (h *history) proven() map[fact]bool {
	facts := maps.Clone(h.now)
	for i := len(h.steps) - 1; i >= 0; i-- {
		undo(facts, h.steps[i])
	}
	return facts
}

func undo(facts map[fact]bool, changes []change) {
	for _, c := range slices.Backward(changes) {
		if c.present {
			delete(facts, c.fact)
		} else {
			facts[c.fact] = true
		}
	}
}

// around tells what came just before a step.
func (h *history) around(step int) string {
	i := step - h.base
	if i < 0 || i >= len(h.notes) {
		return "it was proven already"
	}
	return "the last steps until then were:\n\t" + strings.Join(h.notes[max(0, i-40):i+1], "\n\t")
}

// match finds the latest step after which the facts were as found. lost is how many steps the broker has forgotten, all
// of them unproven.
func (h *history) match(found map[fact]bool) (lost int, ok bool) {
	want := sum(found)
	facts := maps.Clone(h.now)
	have := sum(facts)
	for i := len(h.steps); ; i-- {
		if have == want && maps.Equal(facts, found) {
			return len(h.steps) - i, true
		}
		if i == 0 {
			return 0, false
		}
		for _, c := range h.steps[i-1] {
			if c.present {
				have -= c.fact.hash()
			} else {
				have += c.fact.hash()
			}
		}
		undo(facts, h.steps[i-1])
	}
}

func sum(facts map[fact]bool) (n uint64) {
	for f := range facts {
		n += f.hash()
	}
	return n
}

// explain says what is wrong with facts that match no step.
func (h *history) explain(found map[fact]bool) string {
	proven := h.proven()
	ever := maps.Clone(proven)
	gone := map[fact]bool{} // by a step that may or may not have come about
	for _, step := range h.steps {
		for _, c := range step {
			if ever[c.fact] = true; !c.present {
				gone[c.fact] = true
			}
		}
	}
	var lines []string
	for f := range proven {
		if !found[f] && !gone[f] {
			lines = append(lines, "LOST: "+f.String())
		}
	}
	for f := range found {
		if !ever[f] {
			lines = append(lines, "BACK AGAIN: "+f.String())
		}
	}
	if len(lines) == 0 {
		lines = h.disorder(proven, found)
	}
	slices.Sort(lines)
	return fmt.Sprintf("%d steps are proven, %d more were asked for\n\t%s", h.base, len(h.steps), strings.Join(lines, "\n\t"))
}

// disorder tells which of the steps have come about and which have not, when that is not a beginning of them.
func (h *history) disorder(proven, found map[fact]bool) (lines []string) {
	for i, step := range h.steps {
		var mark string
		for _, c := range step {
			switch {
			case found[c.fact] == c.present:
				mark += "+"
			default:
				mark += "-"
			}
		}
		if mark != "" {
			lines = append(lines, fmt.Sprintf("step %6d %s %s", h.base+i, mark, h.notes[i]))
		}
	}
	return append(lines, "(steps are done in part or out of order; + is found as the step leaves it)")
}

func (f fact) String() string {
	switch f.kind {
	case 'm':
		return fmt.Sprintf("message %s (source %d, number %d, %d bytes) in queue %s", f.id, f.id.source(), f.id.number(), f.id.size(), f.place)
	case 'q':
		return "queue " + f.place
	case 'x':
		return "exchange " + f.place
	}
	return "binding of " + f.place + " to " + f.other
}
