package main

import "github.com/rs/zerolog"

// memoryOrUnknown is the memory of the machine or of the container, whichever is less; 0 where that is unknown.
func (c config) memoryOrUnknown(log zerolog.Logger) uint64 {
	memory, err := memoryLimit()
	if err != nil && (c.memoryHighWatermark.fraction > 0 || c.diskFreeLimit.fraction > 0) {
		log.Warn().Err(err).Msg("cannot tell how much memory there is: watermarks that are fractions of it are off")
	}
	return memory
}

// resourceLimits turns the watermarks into bytes. Fractions are of memory; 0, where that is unknown, turns them off. The
// store names the space that it needs to stay sound: less than that is never enough.
func (c config) resourceLimits(memory, storeNeeds uint64, log zerolog.Logger) resourceLimits {
	limits := resourceLimits{memory: c.memoryHighWatermark.of(memory), diskFree: c.diskFreeLimit.of(memory)}
	if limits.diskFree < storeNeeds {
		if !c.diskFreeLimit.auto {
			log.Warn().Uint64("disk_free_limit", limits.diskFree).Uint64("raised_to", storeNeeds).
				Msgf("disk-free-limit of %s is raised to %s, which the store needs to write what it has promised",
					roughSize(int64(limits.diskFree)), roughSize(int64(storeNeeds)))
		}
		limits.diskFree = storeNeeds
	}
	return limits
}
