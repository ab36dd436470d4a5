package main

import "github.com/rs/zerolog"

// resourceLimits turns the watermarks into bytes. Fractions are of the memory of the machine or of the container,
// whichever is less; where that is unknown they cannot be kept, and the log says so.
func (c config) resourceLimits(log zerolog.Logger) resourceLimits {
	var memory uint64
	if c.memoryHighWatermark.fraction > 0 || c.diskFreeLimit.fraction > 0 {
		var err error
		if memory, err = memoryLimit(); err != nil {
			log.Warn().Err(err).Msg("cannot tell how much memory there is: watermarks that are fractions of it are off")
		}
	}
	return resourceLimits{memory: c.memoryHighWatermark.of(memory), diskFree: c.diskFreeLimit.of(memory)}
}
