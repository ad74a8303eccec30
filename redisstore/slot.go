package redisstore

import (
	"strconv"

	"github.com/redis/rueidis"
)

const (
	// slots is the number of hash slots of a Redis cluster. Shards are equal ranges of slots: with up to
	// 16 masters of equal size, each master holds the middle of at least one shard.
	slots  = 16384
	shards = 16
)

// slotOf returns the hash slot of a key or channel.
func slotOf(key string) int {
	c := rueidis.Completed{}.SetSlot(key)
	return int(c.Slot())
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
