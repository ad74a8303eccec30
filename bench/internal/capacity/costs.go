package capacity

// Cost is what Redis spends on one operation: µs of its core, and bytes to and from it.
type Cost struct{ Micros, In, Out float64 }

// Costs are the measured inputs of the model. Their tags say what they are, and which line of
// the document's tables they come from.
type Costs struct {
	Renewal        Cost `of:"Redis: a renewal in a room of 10, with the search for expired leases" from:"short lease: renewals"`
	Change         Cost `of:"Redis: a change in a room of 10" from:"rooms of 10: changes"`
	JoinOrLeave    Cost `of:"Redis: a join or a leave" from:"rooms of 10: leave and return"`
	Snapshot       Cost `of:"Redis: a snapshot of a room of 10" from:"rooms of 10: snapshot"`
	VersionCheck   Cost `of:"Redis: a check of the version that finds nothing new" from:"rooms of 10: version check"`
	Notification   Cost `of:"Redis: a change is published to one node" from:"measured once"`
	SnapshotMember Cost `of:"Redis: one member of a large room in a snapshot" from:"one large room: snapshot, divided by its size"`

	RedisBytes     float64 `of:"bytes of Redis for a member" from:"rooms of 10, below the table"`
	ConnKB         float64 `of:"KB of a node for a live connection" from:"idle nodes, below the table"`
	RoomKB         float64 `of:"KB of a node for a watched room" from:"idle nodes, below the table"`
	ConnMicros     float64 `of:"µs of a node for a connection and second, with heartbeats" from:"idle nodes, below the table"`
	RoomMicros     float64 `of:"µs of a node for a watched room and second" from:"idle nodes, below the table"`
	ChangeMicros   float64 `of:"µs of nodes for a change in a room of 10, delivered to all of it" from:"changes across nodes, below the table"`
	WatcherMicros  float64 `of:"µs of nodes for a change, for each node that watches the room" from:"changes across nodes, below the table"`
	DeliveredBytes float64 `of:"bytes to each client for a delivered change" from:"changes across nodes"`
	Connections    float64 `of:"connections of a node to Redis" from:"changes across nodes"`
}

// Measured are the costs that the document shows.
var Measured = Costs{
	Renewal:        Cost{12.69, 302, 186},
	Change:         Cost{30.95, 302, 201},
	JoinOrLeave:    Cost{26.17, 270, 139},
	Snapshot:       Cost{20.30, 138, 1957},
	VersionCheck:   Cost{5.55, 151, 55},
	Notification:   Cost{0.50, 0, 134},
	SnapshotMember: Cost{0.927, 0.0, 185.1},
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
