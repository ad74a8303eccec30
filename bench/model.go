package main

import (
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
)

// perOperation is what Redis has to do for something: µs of its core, and bytes to and from it.
type perOperation struct{ Micros, In, Out float64 }

// slopes are what the model reckons with. Their tags say what they are, and which line of
// docs/explanation/scaling.md they are from.
type slopes struct {
	Renewal    perOperation `of:"Redis: a renewal in a room of 10, with looking for who lapsed" from:"by how long sessions live: renewals, short lease"`
	Change     perOperation `of:"Redis: a change in a room of 10" from:"alone: changes"`
	ComeOrGo   perOperation `of:"Redis: somebody comes or goes" from:"alone: leaving and coming back"`
	Look       perOperation `of:"Redis: all of a room of 10" from:"alone: look, all of it"`
	Check      perOperation `of:"Redis: a look that finds nothing new" from:"alone: look, nothing new"`
	WakeUp     perOperation `of:"Redis: one node hears of a change" from:"by number of nodes that hear, slope"`
	LookMember perOperation `of:"Redis: one of those in a large room, at a look" from:"by size of rooms: look, the largest, by its size"`
	RedisBytes float64      `of:"bytes of Redis for a person" from:"by number of rooms, the most"`

	ConnKB         float64 `of:"KB of a node for a live connection" from:"nodes at rest"`
	RoomKB         float64 `of:"KB of a node for a room that it watches" from:"nodes at rest"`
	ConnMicros     float64 `of:"µs of a node for a connection and second, heartbeats too" from:"nodes at rest"`
	RoomMicros     float64 `of:"µs of a node for a watched room and second" from:"nodes at rest"`
	ChangeMicros   float64 `of:"µs of nodes for a change in a room of 10, told to all of it" from:"over several nodes, at no node"`
	WatcherMicros  float64 `of:"µs of nodes for a change, for each node that watches" from:"over several nodes, slope"`
	DeliveredBytes float64 `of:"bytes to each one who is told of a change" from:"over several nodes"`
	Connections    float64 `of:"connections of a node to a Redis" from:"over several nodes"`
}

// measured is the one place for the numbers: go run ./bench redis prints them as they stand here.
var measured = slopes{
	Renewal:        perOperation{12.69, 302, 186},
	Change:         perOperation{30.95, 302, 201},
	ComeOrGo:       perOperation{26.17, 270, 139},
	Look:           perOperation{20.30, 138, 1957},
	Check:          perOperation{5.55, 151, 55},
	WakeUp:         perOperation{0.50, 0, 134},
	LookMember:     perOperation{0.927, 0.0, 185.1},
	RedisBytes:     303.59,
	ConnKB:         9.05,
	RoomKB:         12.66,
	ConnMicros:     6.63,
	RoomMicros:     0.37,
	ChangeMicros:   343.45,
	WatcherMicros:  74.96,
	DeliveredBytes: 295.78,
	Connections:    1.00,
}

// What the model supposes, for want of a measurement.
const (
	perMinute  = 1.0 / 60   // changes of section a second and person
	perBeat    = 1.0 / 30   // heartbeats
	perHour    = 1.0 / 3600 // arrivals; as many leave
	used       = 0.5        // of everything: the rest is for nodes that are away, for peaks and for growth
	nodeCores  = 4          // taken to be four times one core, which was not measured
	nodeGB     = 8
	nodeConns  = 100_000 // open connections, by the limits of the system
	looksMost  = 20      // a second and node, however much changes: changes of 50 ms are told together
	gigabit    = 1e9 / 8
	bytesOfGB  = 1 << 30
	inRoom     = 10
	hotRoomTop = 10_000
)

// distinct is on how many of so many nodes the people of a room are, if each is anywhere.
func distinct(nodes, people float64) float64 {
	return nodes * (1 - math.Pow(1-1/nodes, people))
}

// need is what so many people online need.
type need struct {
	Nodes, ByCPU, ByMemory, ByConns float64
	Watching                        float64 // nodes that watch a room
	Updates                         float64 // a second
	RedisMicros                     float64 // of Redis, a person and second
	Masters                         float64 // cores of Redis
	RedisGB                         float64
	RedisIn, RedisOut, ToPeople     float64 // Gbit a second
	ConnsPerMaster                  float64
}

// needs reckons with people in rooms of 10. Routed says that the balancer sends all of a
// project to one node; else each is anywhere. More nodes may mean more nodes for each room,
// and so more nodes: it begins with one, and goes on until that is enough.
func (m slopes) needs(people float64, routed bool) (n need) {
	for n.Nodes = 1; ; {
		n.Watching = distinct(n.Nodes, inRoom)
		if routed {
			n.Watching = 1
		}
		watched := n.Watching / inRoom // rooms that nodes watch, for each person
		visible := perMinute + 2*perHour
		micros := m.ConnMicros + watched*m.RoomMicros + visible*(m.ChangeMicros+n.Watching*m.WatcherMicros)
		kb := m.ConnKB + watched*m.RoomKB
		n.ByCPU = math.Ceil(people * micros / 1e6 / used / nodeCores)
		n.ByMemory = math.Ceil(people * kb * 1024 / bytesOfGB / used / nodeGB)
		n.ByConns = math.Ceil(people / used / nodeConns)
		enough := max(n.ByCPU, n.ByMemory, n.ByConns)
		if enough <= n.Nodes {
			break
		}
		n.Nodes = enough
	}

	sum := func(of func(perOperation) float64) float64 {
		told := n.Watching * (of(m.WakeUp) + of(m.Look))
		return perBeat*of(m.Renewal) + perMinute*(of(m.Change)+told) + 2*perHour*(of(m.ComeOrGo)+told) +
			n.Watching/inRoom*perBeat*of(m.Check) // at the most: a node that heard from a room lately does not check it
	}
	n.Updates = people * (perBeat + perMinute + 2*perHour)
	n.RedisMicros = sum(func(o perOperation) float64 { return o.Micros })
	n.Masters = math.Ceil(people * n.RedisMicros / 1e6 / used)
	n.RedisGB = people * m.RedisBytes / bytesOfGB / used
	n.RedisIn = people * sum(func(o perOperation) float64 { return o.In }) / gigabit
	n.RedisOut = people * sum(func(o perOperation) float64 { return o.Out }) / gigabit
	n.ToPeople = people * (perMinute + 2*perHour) * inRoom * m.DeliveredBytes / gigabit
	n.ConnsPerMaster = n.Nodes * m.Connections
	return n
}

// hot is one room of so many people: what one look costs Redis in ms, how many looks a second
// each node asks for, and how many nodes may watch it before its core is half used.
func (m slopes) hot(people float64) (millis, looks, nodes float64) {
	millis = people * m.LookMember.Micros / 1000
	looks = min(looksMost, people*perMinute)
	own := people * (perBeat*m.Renewal.Micros + perMinute*m.Change.Micros) / 1e6
	return millis, looks, max(0, (used-own)/(looks*millis/1000))
}

// modelText is what docs/explanation/scaling.md shows between two lines that say so.
func modelText(m slopes) string {
	var b strings.Builder
	fmt.Fprint(&b, "The slopes:\n\n| of | measured | table and line |\n| --- | --- | --- |\n")
	m.each(func(_ string, value any, of, from string) {
		text := ""
		switch v := value.(type) {
		case perOperation:
			text = fmt.Sprintf("%.2f µs, %.0f bytes in, %.0f out", v.Micros, v.In, v.Out)
		case float64:
			text = fmt.Sprintf("%.2f", v)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", of, text, from)
	})
	var all []need
	for _, routed := range []bool{false, true} {
		for _, people := range []float64{1e6, 10e6, 100e6} {
			all = append(all, m.needs(people, routed))
		}
	}
	fmt.Fprint(&b, "\nWhat people online need, in rooms of 10:\n\n| | 1 million | 10 million | 100 million | 1 million, routed | 10 million, routed | 100 million, routed |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	row := func(name, format string, of func(need) float64) {
		fmt.Fprintf(&b, "| %s |", name)
		for _, n := range all {
			fmt.Fprintf(&b, " "+format+" |", of(n))
		}
		fmt.Fprintln(&b)
	}
	row("updates a second", "%.0f", func(n need) float64 { return n.Updates })
	row(fmt.Sprintf("**nodes** (%d cores, %d GB)", nodeCores, nodeGB), "%.0f", func(n need) float64 { return n.Nodes })
	row("by CPU", "%.0f", func(n need) float64 { return n.ByCPU })
	row("by memory", "%.0f", func(n need) float64 { return n.ByMemory })
	row("by connections", "%.0f", func(n need) float64 { return n.ByConns })
	row("nodes that watch a room", "%.2f", func(n need) float64 { return n.Watching })
	row("µs of Redis for a person and second", "%.2f", func(n need) float64 { return n.RedisMicros })
	row("**cores of Redis**, one for each master", "%.0f", func(n need) float64 { return n.Masters })
	row("memory of all masters, GB", "%.1f", func(n need) float64 { return n.RedisGB })
	row("nodes to Redis, Gbit/s", "%.2f", func(n need) float64 { return n.RedisIn })
	row("Redis to nodes, Gbit/s", "%.2f", func(n need) float64 { return n.RedisOut })
	row("changes to people, Gbit/s", "%.2f", func(n need) float64 { return n.ToPeople })
	row("connections of each master", "%.0f", func(n need) float64 { return n.ConnsPerMaster })

	fmt.Fprint(&b, "\nOne hot room, each in it changing once a minute:\n\n| people | ms of Redis for a look | looks a second and node | nodes until its core is half used |\n| --- | --- | --- | --- |\n")
	for people := 100.0; people <= hotRoomTop; people *= 10 {
		millis, looks, nodes := m.hot(people)
		fmt.Fprintf(&b, "| %.0f | %.2f | %.1f | %.1f |\n", people, millis, looks, nodes)
	}
	return b.String()
}

// each gives all slopes in their order.
func (m slopes) each(take func(name string, value any, of, from string)) {
	v := reflect.ValueOf(m)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		take(f.Name, v.Field(i).Interface(), f.Tag.Get("of"), f.Tag.Get("from"))
	}
}

// asCode is what to put into this file.
func (m slopes) asCode() string {
	var b strings.Builder
	fmt.Fprint(&b, "var measured = slopes{\n")
	m.each(func(name string, value any, _, _ string) {
		text := fmt.Sprintf("%.4g", value)
		if v, ok := value.(perOperation); ok {
			text = fmt.Sprintf("perOperation{%.4g, %.4g, %.4g}", v.Micros, v.In, v.Out)
		}
		fmt.Fprintf(&b, "\t%-15s %s,\n", name+":", text)
	})
	return b.String() + "}\n"
}

const (
	scalingDoc = "docs/explanation/scaling.md"
	modelBegin = "<!-- the model begins: go run ./bench model write -->\n"
	modelEnd   = "<!-- the model ends -->\n"
)

// runModel prints the model, or writes it into the document.
func runModel(write bool) error {
	if !write {
		fmt.Print(modelText(measured))
		return nil
	}
	text, err := os.ReadFile(scalingDoc)
	if err != nil {
		return err
	}
	before, rest, begun := strings.Cut(string(text), modelBegin)
	_, after, ended := strings.Cut(rest, modelEnd)
	if !begun || !ended {
		return fmt.Errorf("%s has no place for the model", scalingDoc)
	}
	return os.WriteFile(scalingDoc, []byte(before+modelBegin+"\n"+modelText(measured)+"\n"+modelEnd+after), 0o644)
}
