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
	var p *page
	if c.pages {
		var err error
		if p, err = q.page(); err != nil {
			s.refuse(w, r.Request, err)
			return
		}
	}
	if p == nil {
		out := newArrayWriter(w, r.Request)
		c.write(out, c.arrange(q, nil), q.columns)
		out.end("")
		return
	}
	chosen := c.arrange(q, p.name)
	first := (p.number - 1) * p.size
	if first > len(chosen) { // one empty page behind a full last one is no error (RabbitMQ 3.10.8 behaviour)
		s.refuse(w, r.Request, &fault{
			status: http.StatusBadRequest, Name: "page_out_of_range",
			Reason: fmt.Sprintf("Page out of range, page: %d page size: %d, len: %d", p.number, p.size, len(chosen)),
		})
		return
	}
	items := chosen[first:min(first+p.size, len(chosen))]
	out := newArrayWriter(w, r.Request)
	fmt.Fprintf(out.w, `{"filtered_count":%d,"item_count":%d,"page":%d,"page_count":%d,"page_size":%d,"total_count":%d,"items":`,
		len(chosen), len(items), p.number, (len(chosen)+p.size-1)/p.size, p.size, c.length)
	c.write(out, items, q.columns)
	out.end("}")
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
	w    *bufio.Writer
	buf  bytes.Buffer // the object in hand
	gzip *gzipWriter  // below w; nil if the client does not take it
}

func newArrayWriter(w http.ResponseWriter, r *http.Request) *arrayWriter {
	w.Header().Set("Content-Type", "application/json")
	a := new(arrayWriter)
	if acceptsGzip(r) {
		a.gzip = compress(w)
		w = a.gzip
	}
	a.w = bufio.NewWriterSize(w, 32<<10)
	return a
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
	if a.gzip != nil {
		a.gzip.Close()
	}
}
