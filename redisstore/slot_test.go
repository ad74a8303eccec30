package redisstore

import (
	"testing"
)

// The first key is the check value of the CRC; the slots of the others are by CLUSTER KEYSLOT.
func TestSlotsAreThoseOfRedis(t *testing.T) {
	for key, want := range map[string]int{
		"123456789": 0x31C3, "foo": 12182, "{user1000}.following": 3443, "{user1000}.followers": 3443, "foo{}{bar}": 8363, "foo{bar}{zap}": 5061, "foo{{bar}}zap": 4015,
	} {
		if got := slotOf(key); got != want {
			t.Errorf("%q is in slot %d; want %d", key, got, want)
		}
	}
}

// Up to 16 masters with equal ranges of slots: one of the channels that check a slot is on its master.
func TestEverySlotHasAProbeChannelOnItsMaster(t *testing.T) {
	p := newProbe(true)
	for masters := 1; masters <= shards; masters++ {
		masterOf := func(slot int) int { return slot * masters / slots }
		for slot := range slots {
			checked := false
			for i := range p.channels {
				checked = checked || p.covers(i, slot*shards/slots) && masterOf(slotOf(p.channels[i].name)) == masterOf(slot)
			}
			if !checked {
				t.Fatalf("with %d masters, no channel that checks slot %d is on its master", masters, slot)
			}
		}
	}
	if from, to := p.covering(3); from != 2 || to != 5 {
		t.Errorf("shard 3 is checked by the channels from %d to before %d; want 2 to 5", from, to)
	}
}
