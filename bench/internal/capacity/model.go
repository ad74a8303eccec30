// Package capacity computes from measured costs how many nodes and Redis cores serve a number
// of people online.
package capacity

import "math"

// Assumptions of the model, which are not measured.
const (
	changesPerSecond    = 1.0 / 60   // of section, for each person
	heartbeatsPerSecond = 1.0 / 30   // for each person
	joinsPerSecond      = 1.0 / 3600 // for each person; as many leave
	utilisation         = 0.5        // of everything: the rest is for lost nodes, peaks and growth
	nodeCores           = 4          // taken to be four times one core
	nodeGB              = 8
	nodeConnections     = 100_000
	maxSnapshotRate     = 20 // a second and node: changes within 50 ms are delivered together
	roomSize            = 10
	largestRoom         = 10_000

	gigabit  = 1e9 / 8
	gigabyte = 1 << 30
)

// nodesOfRoom returns on how many of all nodes the people of a room are, if each is on any.
func nodesOfRoom(nodes, people float64) float64 {
	return nodes * (1 - math.Pow(1-1/nodes, people))
}

// Needs is what a number of people online needs.
type Needs struct {
	Updates              float64 `row:"updates a second" format:"%.0f"`
	Nodes                float64 `row:"**nodes**" format:"%.0f"`
	ByCPU                float64 `row:"by CPU" format:"%.0f"`
	ByMemory             float64 `row:"by memory" format:"%.0f"`
	ByConnections        float64 `row:"by connections" format:"%.0f"`
	Watching             float64 `row:"nodes that watch a room" format:"%.2f"`
	RedisMicros          float64 `row:"µs of Redis for a person and second" format:"%.2f"`
	Masters              float64 `row:"**cores of Redis**, one for each master" format:"%.0f"`
	RedisGB              float64 `row:"memory of all masters, GB" format:"%.1f"`
	RedisIn              float64 `row:"nodes to Redis, Gbit/s" format:"%.2f"`
	RedisOut             float64 `row:"Redis to nodes, Gbit/s" format:"%.2f"`
	ToPeople             float64 `row:"changes to people, Gbit/s" format:"%.2f"`
	ConnectionsPerMaster float64 `row:"connections of each master" format:"%.0f"`
}

// Needs computes with people in rooms of 10. Routed means that the load balancer sends all of
// a project to one node; otherwise each person is on any node.
func (c Costs) Needs(people float64, routed bool) (n Needs) {
	const visible = changesPerSecond + 2*joinsPerSecond
	// More nodes can mean more nodes for each room, and therefore more nodes again.
	for n.Nodes = 1; ; {
		n.Watching = nodesOfRoom(n.Nodes, roomSize)
		if routed {
			n.Watching = 1
		}
		watched := n.Watching / roomSize // rooms that nodes watch, for each person
		micros := c.ConnMicros + watched*c.RoomMicros + visible*(c.ChangeMicros+n.Watching*c.WatcherMicros)
		kb := c.ConnKB + watched*c.RoomKB
		n.ByCPU = math.Ceil(people * micros / 1e6 / utilisation / nodeCores)
		n.ByMemory = math.Ceil(people * kb * 1024 / gigabyte / utilisation / nodeGB)
		n.ByConnections = math.Ceil(people / utilisation / nodeConnections)
		enough := max(n.ByCPU, n.ByMemory, n.ByConnections)
		if enough <= n.Nodes {
			break
		}
		n.Nodes = enough
	}

	perPerson := func(of func(Cost) float64) float64 {
		delivery := n.Watching * (of(c.Notification) + of(c.Snapshot))
		return heartbeatsPerSecond*of(c.Renewal) + changesPerSecond*(of(c.Change)+delivery) + 2*joinsPerSecond*(of(c.JoinOrLeave)+delivery) +
			n.Watching/roomSize*heartbeatsPerSecond*of(c.VersionCheck) // an upper bound: rooms that changed lately are not checked
	}
	n.Updates = people * (heartbeatsPerSecond + visible)
	n.RedisMicros = perPerson(func(o Cost) float64 { return o.Micros })
	n.Masters = math.Ceil(people * n.RedisMicros / 1e6 / utilisation)
	n.RedisGB = people * c.RedisBytes / gigabyte / utilisation
	n.RedisIn = people * perPerson(func(o Cost) float64 { return o.In }) / gigabit
	n.RedisOut = people * perPerson(func(o Cost) float64 { return o.Out }) / gigabit
	n.ToPeople = people * visible * roomSize * c.DeliveredBytes / gigabit
	n.ConnectionsPerMaster = n.Nodes * c.Connections
	return n
}

// LargeRoom returns for one room what a snapshot costs Redis in ms, how many snapshots a second
// each node reads, and how many nodes may watch the room before its core is half used.
func (c Costs) LargeRoom(people float64) (millis, snapshots, nodes float64) {
	millis = people * c.SnapshotMember.Micros / 1000
	snapshots = min(maxSnapshotRate, people*changesPerSecond)
	updates := people * (heartbeatsPerSecond*c.Renewal.Micros + changesPerSecond*c.Change.Micros) / 1e6
	return millis, snapshots, max(0, (utilisation-updates)/(snapshots*millis/1000))
}
