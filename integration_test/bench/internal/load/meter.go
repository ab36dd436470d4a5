package load

import (
	"time"

	"github.com/warren-mq/warren/integration_test/bench/internal/procstat"
)

// meter measures resource usage between start and stop.
type meter struct {
	pids    []int
	began   time.Time
	broker  procstat.Sample
	self    time.Duration
	machine procstat.Machine
}

func startMeter(pids []int) (*meter, error) {
	procstat.ResetPeak(pids)
	m := &meter{pids: pids, machine: procstat.ReadMachine()}
	var err error
	if m.broker, err = procstat.Read(pids); err != nil {
		return nil, err
	}
	m.self = procstat.Self()
	m.began = time.Now()
	return m, nil
}

// stop fills in the usage figures of res.
func (m *meter) stop(res *Result) error {
	wall := time.Since(m.began).Seconds()
	self := (procstat.Self() - m.self).Seconds()
	after, err := procstat.Read(m.pids)
	if err != nil {
		return err
	}
	machine := procstat.ReadMachine()
	cpu := (after.CPU - m.broker.CPU).Seconds()

	per := res.Consumed
	for _, n := range []uint64{res.Published, res.Operations} {
		if per == 0 {
			per = n
		}
	}
	micros := func(s float64) float64 {
		if per == 0 {
			return 0
		}
		return s * 1e6 / float64(per)
	}
	if len(m.pids) > 0 {
		res.Broker = &BrokerUsage{
			CPUSeconds:    cpu,
			UserSeconds:   (after.User - m.broker.User).Seconds(),
			SystemSeconds: (after.System - m.broker.System).Seconds(),
			Cores:         cpu / wall,
			CPUMicros:     micros(cpu),
			RSS:           after.RSS,
			RSSAnon:       after.RSSAnon,
			PeakRSS:       after.Peak,
			ReadBytes:     after.ReadBytes - m.broker.ReadBytes,
			WriteBytes:    after.WriteBytes - m.broker.WriteBytes,
		}
	}
	res.Generator = GeneratorUsage{CPUSeconds: self, Cores: self / wall, CPUMicros: micros(self)}
	res.Machine = MachineUsage{
		StealCores:  (machine.Steal - m.machine.Steal).Seconds() / wall,
		LoadAverage: procstat.LoadAverage(),
	}
	if len(m.pids) > 0 { // else the broker itself would count as noise
		other := (machine.Busy - m.machine.Busy).Seconds() - cpu - self
		res.Machine.OtherCores = max(0, other/wall)
	}
	return nil
}
