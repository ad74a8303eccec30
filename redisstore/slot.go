package redisstore

import (
	"strconv"
	"strings"
)

const (
	// slots are what a cluster shares out to its masters, and shards are ranges of as many
	// slots each: of masters that have equal parts, up to sixteen, each has the middle of one.
	slots  = 16384
	shards = 16
)

// slotOf is the slot that a key is in, or a channel: the CRC16 of what is between its first
// braces (Redis Cluster specification, "Hash tags"; XMODEM: polynomial 1021, from 0).
func slotOf(key string) int {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			key = tag
		}
	}
	crc := uint16(0)
	for _, b := range []byte(key) {
		crc ^= uint16(b) << 8
		for range 8 {
			carry := crc&0x8000 != 0
			crc <<= 1
			if carry {
				crc ^= 0x1021
			}
		}
	}
	return int(crc) % slots
}

func shardOf(key string) int { return slotOf(key) * shards / slots }

// tagIn gives what to put between the braces of a key that is to be in the middle of a shard.
func tagIn(shard int) string {
	const width = slots / shards
	for n := 0; ; n++ {
		tag := strconv.Itoa(n)
		if off := slotOf(tag) - shard*width; off > width*7/16 && off < width*9/16 {
			return tag
		}
	}
}
