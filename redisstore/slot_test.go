package redisstore

import "testing"

// The slots are those of Redis's own CLUSTER KEYSLOT; the first is the check value of the CRC.
func TestASlotIsTheOneThatRedisTakes(t *testing.T) {
	for key, due := range map[string]int{
		"123456789": 0x31C3, "foo": 12182, "{user1000}.following": 3443, "{user1000}.followers": 3443, "foo{}{bar}": 8363, "foo{bar}{zap}": 5061, "foo{{bar}}zap": 4015,
	} {
		if got := slotOf(key); got != due {
			t.Errorf("%q is in slot %d; due: %d", key, got, due)
		}
	}
}

// However many masters share the slots, up to sixteen equal parts: whatever a room's master is,
// a channel that tells of the room is there.
func TestAProbeIsOnTheMasterOfEveryRoom(t *testing.T) {
	p := newProbe(true)
	for masters := 1; masters <= shards; masters++ {
		of := func(slot int) int { return slot * masters / slots }
		for slot := range slots {
			heard := false
			for i := range p.channels {
				heard = heard || p.covers(i, slot*shards/slots) && of(slotOf(p.channels[i].name)) == of(slot)
			}
			if !heard {
				t.Fatalf("of %d masters, none of the channels that tell of slot %d is on its master", masters, slot)
			}
		}
	}
	if from, to := p.covering(3); from != 2 || to != 5 {
		t.Errorf("the channels %d to %d, without that, tell of shard 3; due: 2 to 5", from, to)
	}
}
