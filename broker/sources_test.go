package broker

import (
	"maps"
	"slices"
	"testing"

	"github.com/warren-mq/warren/exchange"
)

func TestSourcesCountBindingsBySource(t *testing.T) {
	a, b, c := new(exchange.Exchange), new(exchange.Exchange), new(exchange.Exchange)
	for _, test := range []struct {
		name string
		add  []*exchange.Exchange
		take []*exchange.Exchange
		left []*exchange.Exchange
	}{
		{"one source", []*exchange.Exchange{a, a}, []*exchange.Exchange{a}, []*exchange.Exchange{a}},
		{"one source gone", []*exchange.Exchange{a, a}, []*exchange.Exchange{a, a}, nil},
		{"the first of several goes", []*exchange.Exchange{a, b, c}, []*exchange.Exchange{a}, []*exchange.Exchange{b, c}},
		{"another comes after the first went", []*exchange.Exchange{a, b, b}, []*exchange.Exchange{a, b}, []*exchange.Exchange{b}},
		{"all of several go", []*exchange.Exchange{a, b, c, b}, []*exchange.Exchange{b, a, c, b}, nil},
		{"none is taken off what is not there", []*exchange.Exchange{a}, []*exchange.Exchange{b, b}, []*exchange.Exchange{a}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s sources
			for _, x := range test.add {
				s = s.plus(x, 1)
			}
			for _, x := range test.take {
				s = s.plus(x, -1)
			}
			left, want := map[*exchange.Exchange]int{}, map[*exchange.Exchange]int{}
			for x := range s.all() {
				left[x]++
			}
			for _, x := range test.left {
				want[x]++
			}
			if !maps.Equal(left, want) || s.none() != (len(want) == 0) {
				t.Errorf("%d sources of %d are left, none: %t", len(slices.Collect(s.all())), len(want), s.none())
			}
		})
	}
}
