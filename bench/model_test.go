package main

import (
	"math"
	"os"
	"strings"
	"testing"
)

// plainSlopes are easy to reckon with by hand.
var plainSlopes = slopes{
	Renewal: perOperation{9, 300, 60}, Change: perOperation{30, 300, 60}, ComeOrGo: perOperation{36, 360, 36},
	Look: perOperation{14, 120, 1400}, Check: perOperation{6, 150, 60}, WakeUp: perOperation{1, 0, 80}, LookMember: perOperation{1, 0, 150},
	RedisBytes: 400, ConnKB: 10, RoomKB: 20, ConnMicros: 5, RoomMicros: 10, ChangeMicros: 300, WatcherMicros: 100,
	DeliveredBytes: 300, Connections: 2,
}

func TestDistinctNodes(t *testing.T) {
	for _, c := range []struct{ nodes, people, due float64 }{
		{1, 10, 1},
		{2, 2, 1.5},                        // both on one, or on both: as often
		{4, 10, 4 * (1 - 59049.0/1048576)}, // each is missed by (3/4)^10
	} {
		if got := distinct(c.nodes, c.people); math.Abs(got-c.due) > 1e-9 {
			t.Errorf("%v people on %v nodes are on %v; by hand: %v", c.people, c.nodes, got, c.due)
		}
	}
}

// By hand, a person and second: visible are 1/60 + 2/3600 = 62/3600.
func TestNeeds(t *testing.T) {
	for _, c := range []struct {
		people float64
		routed bool
		due    need
	}{
		// A node does 5 + 10/10 + 62/3600 × (300 + 100) = 12.889 µs: 6.4 nodes of half of 4 cores;
		// it holds 10 + 20/10 = 12 KB: 2.9 of half of 8 GB; and 20 have half of 100,000 connections.
		// Redis does 9/30 + (30+15)/60 + 2/3600 × (36+15) + 6/10/30 = 1.09833 µs.
		{1e6, true, need{
			Nodes: 20, ByCPU: 7, ByMemory: 3, ByConns: 20, Watching: 1,
			Updates: 1e6 * 182 / 3600, RedisMicros: 1.0983333, Masters: 3,
			RedisGB:  1e6 * 400 / 1073741824 / 0.5,
			RedisIn:  1e6 * (300.0/30 + (300.0+120)/60 + (360.0+120)/1800 + 150.0/300) * 8 / 1e9,
			RedisOut: 1e6 * (60.0/30 + (60.0+1480)/60 + (36.0+1480)/1800 + 60.0/300) * 8 / 1e9,
			ToPeople: 1e6 * 62 / 3600 * 3000 * 8 / 1e9, ConnsPerMaster: 40,
		}},
		// One node is too few, and four are enough, for the connections; there a room is on 3.774746.
		// A node does 5 + 3.774746 + 62/3600 × 677.4746 = 20.4424 µs: 2.04 nodes.
		// Redis does 0.3 + (30 + 56.62119)/60 + (36 + 56.62119)/1800 + 0.3774746 × 6/30 = 1.870637 µs.
		{2e5, false, need{
			Nodes: 4, ByCPU: 3, ByMemory: 1, ByConns: 4, Watching: 3.774746,
			Updates: 2e5 * 182 / 3600, RedisMicros: 1.8706370, Masters: 1,
			RedisGB:  2e5 * 400 / 1073741824 / 0.5,
			RedisIn:  2e5 * (10 + (300+3.774746*120)/60 + (360+3.774746*120)/1800 + 0.3774746*5) * 8 / 1e9,
			RedisOut: 2e5 * (2 + (60+3.774746*1480)/60 + (36+3.774746*1480)/1800 + 0.3774746*2) * 8 / 1e9,
			ToPeople: 2e5 * 62 / 3600 * 3000 * 8 / 1e9, ConnsPerMaster: 8,
		}},
	} {
		got := plainSlopes.needs(c.people, c.routed)
		for _, f := range []struct {
			name     string
			got, due float64
		}{
			{"nodes", got.Nodes, c.due.Nodes}, {"by CPU", got.ByCPU, c.due.ByCPU}, {"by memory", got.ByMemory, c.due.ByMemory}, {"by connections", got.ByConns, c.due.ByConns},
			{"watching", got.Watching, c.due.Watching}, {"updates", got.Updates, c.due.Updates}, {"µs of Redis", got.RedisMicros, c.due.RedisMicros},
			{"masters", got.Masters, c.due.Masters},
			{"GB", got.RedisGB, c.due.RedisGB}, {"to Redis", got.RedisIn, c.due.RedisIn}, {"from Redis", got.RedisOut, c.due.RedisOut},
			{"to people", got.ToPeople, c.due.ToPeople}, {"connections", got.ConnsPerMaster, c.due.ConnsPerMaster},
		} {
			if math.Abs(f.got-f.due) > 1e-5*max(1, f.due) {
				t.Errorf("%v people, routed %v, %s: %v; by hand: %v", c.people, c.routed, f.name, f.got, f.due)
			}
		}
	}
}

func TestHotRoom(t *testing.T) {
	millis, looks, nodes := plainSlopes.hot(1000)
	// 1,000 people change 16.67 times a second, and take 1,000 × (9/30 + 30/60) = 800 µs of it.
	if millis != 1 || math.Abs(looks-1000.0/60) > 1e-9 || math.Abs(nodes-(0.5-0.0008)/(1000.0/60*0.001)) > 1e-6 {
		t.Errorf("%v ms, %v looks, %v nodes", millis, looks, nodes)
	}
	if _, looks, _ = plainSlopes.hot(10_000); looks != 20 {
		t.Errorf("%v looks a second; at most 20 are made, for changes of 50 ms are told together", looks)
	}
}

func TestFit(t *testing.T) {
	at0, slope := fit([]float64{1, 2, 5}, []float64{7, 9, 15})
	if math.Abs(at0-5) > 1e-9 || math.Abs(slope-2) > 1e-9 {
		t.Errorf("%v + %v x; 5 + 2x goes through all points", at0, slope)
	}
}

// Rooms of 10 and of one tell what a person and what a room come to: 8 + 20/10, and 8 + 20.
func TestParts(t *testing.T) {
	if person, room := parts(10, 28); math.Abs(person-8) > 1e-9 || math.Abs(room-20) > 1e-9 {
		t.Errorf("a person %v, a room %v", person, room)
	}
}

func TestTheDocumentShowsTheModel(t *testing.T) {
	text, err := os.ReadFile("../" + scalingDoc)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), modelBegin+"\n"+modelText(measured)+"\n"+modelEnd) {
		t.Errorf("%s does not show what the model says now: go run ./bench model write", scalingDoc)
	}
}
