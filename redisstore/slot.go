package redisstore

import (
	"strconv"
	"strings"
)

const (
	// slots is the number of hash slots of a Redis cluster. Shards are equal ranges of slots: with up to
	// 16 masters of equal size, each master holds the middle of at least one shard.
	slots  = 16384
	shards = 16
)

// slotOf returns the hash slot of a key or channel: the CRC16 of the text in its first braces, or of the
// whole key (Redis Cluster specification, "Hash tags"; XMODEM variant: polynomial 0x1021, initial value 0).
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

// shardOf returns the shard of a key or channel.
func shardOf(key string) int { return slotOf(key) * shards / slots }

// shardTag returns a hash tag whose slot is near the middle of a shard.
func shardTag(shard int) string {
	const width = slots / shards
	for n := 0; ; n++ {
		tag := strconv.Itoa(n)
		if offset := slotOf(tag) - shard*width; offset > width*7/16 && offset < width*9/16 {
			return tag
		}
	}
}
