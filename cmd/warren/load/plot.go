package load

import (
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Plot writes an SVG picture of a run: rates above, latencies below, over time.
func (r *Result) Plot(to io.Writer, title string) error {
	rates := newPlot(title, "messages per second")
	err := r.lines(rates, map[string]func(*Interval) (float64, bool){
		"published": func(i *Interval) (float64, bool) { return i.Rates.Published, r.Settings.Producers > 0 },
		"confirmed": func(i *Interval) (float64, bool) { return i.Rates.Confirmed, r.Settings.Confirm > 0 },
		"received":  func(i *Interval) (float64, bool) { return i.Rates.Received, r.Settings.Consumers > 0 },
	}, "published", "confirmed", "received")
	if err != nil {
		return err
	}
	of := func(l *Latency, us func(*Latency) int64) (float64, bool) {
		if l == nil {
			return 0, false
		}
		return float64(us(l)) / 1000, true
	}
	p50, p99 := func(l *Latency) int64 { return l.P50 }, func(l *Latency) int64 { return l.P99 }
	latencies := newPlot("", "milliseconds")
	err = r.lines(latencies, map[string]func(*Interval) (float64, bool){
		"to delivery, median": func(i *Interval) (float64, bool) { return of(i.Latency, p50) },
		"to delivery, p99":    func(i *Interval) (float64, bool) { return of(i.Latency, p99) },
		"to confirm, median":  func(i *Interval) (float64, bool) { return of(i.Confirm, p50) },
		"to confirm, p99":     func(i *Interval) (float64, bool) { return of(i.Confirm, p99) },
	}, "to delivery, median", "to delivery, p99", "to confirm, median", "to confirm, p99")
	if err != nil {
		return err
	}
	latencies.X.Label.Text = "seconds"

	canvas := vgsvg.New(24*vg.Centimeter, 18*vg.Centimeter)
	whole := draw.New(canvas)
	half := whole.Size().Y / 2
	rates.Draw(draw.Crop(whole, 0, 0, half, 0))
	latencies.Draw(draw.Crop(whole, 0, 0, 0, -half))
	_, err = canvas.WriteTo(to)
	return err
}

func newPlot(title, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.Title.Padding = title, 4*vg.Millimeter
	p.Title.TextStyle.Font.Size = 9 // so that a long one has room in any font
	p.Y.Label.Text = y
	p.Legend.Top, p.Legend.Left = true, true // on the left its texts have room for any font
	p.Add(plotter.NewGrid())
	return p
}

// whole is how many intervals are as long as the others: the last one may be too short for a rate.
func (r *Result) whole() int {
	n := len(r.Intervals)
	if n > 1 && r.Intervals[n-1].Seconds-r.Intervals[n-2].Seconds < r.Intervals[0].Seconds/2 {
		return n - 1
	}
	return n
}

// lines adds a line for each name that has points, in this order.
func (r *Result) lines(p *plot.Plot, of map[string]func(*Interval) (float64, bool), names ...string) error {
	for color, name := range names {
		var points plotter.XYs
		for i := range r.whole() {
			if y, ok := of[name](&r.Intervals[i]); ok {
				points = append(points, plotter.XY{X: r.Intervals[i].Seconds, Y: y})
			}
		}
		if len(points) == 0 {
			continue
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return err
		}
		line.Color = plotutil.Color(color)
		p.Add(line)
		p.Legend.Add(name, line)
	}
	p.X.Min, p.Y.Min = 0, 0
	p.Y.Max = max(p.Y.Max*legendRoom, 1)
	return nil
}

// legendRoom is how much higher than its lines a picture is, so that its legend stands above them.
const legendRoom = 1.3
