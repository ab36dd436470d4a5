package management

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"slices"
)

// collection is the answer of a resource that is a list. Its objects are made when they are needed and forgotten when
// they are written, so that 100,000 queues need not be in memory as objects, nor as JSON.
type collection struct {
	length int
	object func(i int) any
	pages  bool // whether this list knows page=; the others ignore it (RabbitMQ 3.10.8 behaviour)
}

// listOf makes a collection of elements, which are in the order that the resource has by default.
func listOf[E any](elements []E, object func(E) any) collection {
	return collection{length: len(elements), object: func(i int) any { return object(elements[i]) }}
}

// pagedListOf does so for a resource that knows page=.
func pagedListOf[E any](elements []E, object func(E) any) collection {
	c := listOf(elements, object)
	c.pages = true
	return c
}

// answerList sends a list, or the page of it that was asked for.
func (s *Server) answerList(w http.ResponseWriter, r *request, c collection) {
	q := &r.query
	if !c.pages {
		c.writeAll(w, q)
		return
	}
	switch p, err := q.page(); {
	case err != nil:
		s.refuse(w, r.Request, err)
	case p == nil:
		c.writeAll(w, q)
	default:
		if err := c.writePage(w, q, p); err != nil {
			s.refuse(w, r.Request, err)
		}
	}
}

func (c *collection) writeAll(w http.ResponseWriter, q *query) {
	out := newArrayWriter(w)
	c.write(out, c.arrange(q, nil), q.columns)
	out.end("")
}

// writePage sends a page with the counts around it. An error means that nothing was sent.
func (c *collection) writePage(w http.ResponseWriter, q *query, p *page) error {
	chosen := c.arrange(q, p.name)
	count := (len(chosen) + p.size - 1) / p.size
	if p.number > max(count, 1) {
		return &fault{
			status: http.StatusBadRequest, Name: "page_out_of_range",
			Reason: fmt.Sprintf("Page out of range, page: %d page size: %d, len: %d", p.number, p.size, len(chosen)),
		}
	}
	first := min((p.number-1)*p.size, len(chosen))
	items := chosen[first:min(first+p.size, len(chosen))]
	out := newArrayWriter(w)
	fmt.Fprintf(out.w, `{"filtered_count":%d,"item_count":%d,"page":%d,"page_count":%d,"page_size":%d,"total_count":%d,"items":`,
		len(chosen), len(items), p.number, count, p.size, c.length)
	c.write(out, items, q.columns)
	out.end("}")
	return nil
}

// arrange returns the indices of the objects that name likes, in the order that was asked for.
func (c *collection) arrange(q *query, name func(string) bool) []int {
	chosen := make([]int, 0, c.length)
	if name == nil && q.sort == nil {
		for i := range c.length {
			chosen = append(chosen, i)
		}
	} else {
		chosen = c.filterAndSort(q.sort, name)
	}
	if q.sortReverse {
		slices.Reverse(chosen)
	}
	return chosen
}

func (c *collection) filterAndSort(path []string, name func(string) bool) []int {
	type entry struct {
		index int
		key   sortKey
	}
	var entries []entry
	for i := range c.length {
		object := c.object(i)
		if name != nil {
			v, ok := lookup(object, []string{"name"})
			if !ok || !name(v.String()) {
				continue
			}
		}
		e := entry{index: i}
		if path != nil {
			e.key = sortKeyOf(lookup(object, path))
		}
		entries = append(entries, e)
	}
	if path != nil {
		slices.SortStableFunc(entries, func(a, b entry) int { return a.key.compare(b.key) })
	}
	chosen := make([]int, len(entries))
	for i, e := range entries {
		chosen[i] = e.index
	}
	return chosen
}

// write sends the objects of these indices as an array.
func (c *collection) write(out *arrayWriter, indices []int, columns columns) {
	out.w.WriteByte('[')
	for n, i := range indices {
		if n > 0 {
			out.w.WriteByte(',')
		}
		if err := out.object(columns.of(c.object(i))); err != nil {
			return // the client has gone; net/http closes the connection
		}
	}
	out.w.WriteByte(']')
}

// arrayWriter encodes objects one by one through a buffer that stays small.
type arrayWriter struct {
	w   *bufio.Writer
	buf bytes.Buffer // the object in hand
}

func newArrayWriter(w http.ResponseWriter) *arrayWriter {
	w.Header().Set("Content-Type", "application/json")
	return &arrayWriter{w: bufio.NewWriterSize(w, 32<<10)}
}

func (a *arrayWriter) object(v any) error {
	a.buf.Reset()
	if err := encode(&a.buf, v); err != nil {
		return err
	}
	_, err := a.w.Write(a.buf.Bytes())
	return err
}

// end writes the tail and what is in the buffer. Errors are the client's: it has gone.
func (a *arrayWriter) end(tail string) {
	a.w.WriteString(tail)
	a.w.Flush()
}
