package capacity

import (
	"math"
	"testing"
)

// roundCosts are easy to compute with by hand.
var roundCosts = Costs{
	Renewal: Cost{9, 300, 60}, Change: Cost{30, 300, 60}, JoinOrLeave: Cost{36, 360, 36},
	Snapshot: Cost{14, 120, 1400}, VersionCheck: Cost{6, 150, 60}, Notification: Cost{1, 0, 80}, SnapshotMember: Cost{1, 0, 150},
	RedisBytes: 400, ConnKB: 10, RoomKB: 20, ConnMicros: 5, RoomMicros: 10, ChangeMicros: 300, WatcherMicros: 100,
	DeliveredBytes: 300, Connections: 2,
}

func TestPeopleOfARoomSpreadOverNodes(t *testing.T) {
	for _, c := range []struct{ nodes, people, want float64 }{
		{1, 10, 1},
		{2, 2, 1.5},                        // both on one, or on both: as often
		{4, 10, 4 * (1 - 59049.0/1048576)}, // each is missed by (3/4)^10
	} {
		if got := nodesOfRoom(c.nodes, c.people); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v people on %v nodes are on %v; by hand: %v", c.people, c.nodes, got, c.want)
		}
	}
}

// By hand, a person and second: visible are 1/60 + 2/3600 = 62/3600.
func TestNeedsAgreeWithSmallCasesByHand(t *testing.T) {
	for _, c := range []struct {
		people float64
		routed bool
		want   Needs
	}{
		// A node does 5 + 10/10 + 62/3600 × (300 + 100) = 12.889 µs: 6.4 nodes of half of 4 cores;
		// it holds 10 + 20/10 = 12 KB: 2.9 of half of 8 GB; and 20 have half of 100,000 connections.
		// Redis does 9/30 + (30+15)/60 + 2/3600 × (36+15) + 6/10/30 = 1.09833 µs.
		{1e6, true, Needs{
			Nodes: 20, ByCPU: 7, ByMemory: 3, ByConnections: 20, Watching: 1,
			Updates: 1e6 * 182 / 3600, RedisMicros: 1.0983333, Masters: 3,
			RedisGB:  1e6 * 400 / 1073741824 / 0.5,
			RedisIn:  1e6 * (300.0/30 + (300.0+120)/60 + (360.0+120)/1800 + 150.0/300) * 8 / 1e9,
			RedisOut: 1e6 * (60.0/30 + (60.0+1480)/60 + (36.0+1480)/1800 + 60.0/300) * 8 / 1e9,
			ToPeople: 1e6 * 62 / 3600 * 3000 * 8 / 1e9, ConnectionsPerMaster: 40,
		}},
		// One node is too few, and four are enough, for the connections; there a room is on 3.774746.
		// A node does 5 + 3.774746 + 62/3600 × 677.4746 = 20.4424 µs: 2.04 nodes.
		// Redis does 0.3 + (30 + 56.62119)/60 + (36 + 56.62119)/1800 + 0.3774746 × 6/30 = 1.870637 µs.
		{2e5, false, Needs{
			Nodes: 4, ByCPU: 3, ByMemory: 1, ByConnections: 4, Watching: 3.774746,
			Updates: 2e5 * 182 / 3600, RedisMicros: 1.8706370, Masters: 1,
			RedisGB:  2e5 * 400 / 1073741824 / 0.5,
			RedisIn:  2e5 * (10 + (300+3.774746*120)/60 + (360+3.774746*120)/1800 + 0.3774746*5) * 8 / 1e9,
			RedisOut: 2e5 * (2 + (60+3.774746*1480)/60 + (36+3.774746*1480)/1800 + 0.3774746*2) * 8 / 1e9,
			ToPeople: 2e5 * 62 / 3600 * 3000 * 8 / 1e9, ConnectionsPerMaster: 8,
		}},
	} {
		got := roundCosts.Needs(c.people, c.routed)
		for _, f := range []struct {
			name      string
			got, want float64
		}{
			{"nodes", got.Nodes, c.want.Nodes}, {"by CPU", got.ByCPU, c.want.ByCPU}, {"by memory", got.ByMemory, c.want.ByMemory}, {"by connections", got.ByConnections, c.want.ByConnections},
			{"watching", got.Watching, c.want.Watching}, {"updates", got.Updates, c.want.Updates}, {"µs of Redis", got.RedisMicros, c.want.RedisMicros},
			{"masters", got.Masters, c.want.Masters},
			{"GB", got.RedisGB, c.want.RedisGB}, {"to Redis", got.RedisIn, c.want.RedisIn}, {"from Redis", got.RedisOut, c.want.RedisOut},
			{"to people", got.ToPeople, c.want.ToPeople}, {"connections", got.ConnectionsPerMaster, c.want.ConnectionsPerMaster},
		} {
			if math.Abs(f.got-f.want) > 1e-5*max(1, f.want) {
				t.Errorf("%v people, routed %v, %s: %v; by hand: %v", c.people, c.routed, f.name, f.got, f.want)
			}
		}
	}
}

func TestLargeRoomAgreesWithACaseByHand(t *testing.T) {
	millis, snapshots, nodes := roundCosts.LargeRoom(1000)
	// 1,000 people change 16.67 times a second, and take 1,000 × (9/30 + 30/60) = 800 µs of it.
	if millis != 1 || math.Abs(snapshots-1000.0/60) > 1e-9 || math.Abs(nodes-(0.5-0.0008)/(1000.0/60*0.001)) > 1e-6 {
		t.Errorf("%v ms, %v snapshots, %v nodes", millis, snapshots, nodes)
	}
	if _, snapshots, _ = roundCosts.LargeRoom(10_000); snapshots != 20 {
		t.Errorf("%v snapshots a second; the limit is 20, since changes within 50 ms are delivered together", snapshots)
	}
}
