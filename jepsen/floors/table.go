package floors

import "strconv"

// Row is a comparison under one kind of load.
type Row struct {
	// Name says what the clients do.
	Name string
	// Members of each store: 1 or 3.
	Members int
	// Follower says that clients talk to a member that does not lead; otherwise to
	// the leader.
	Follower bool
	// Bare says that the other is a bare HTTP server, not etcd.
	Bare bool
	// Load is what "holdfast bench" is told, beside the connections.
	Load        []string
	Connections int
	// PerSecond and PerCPU are the floors: ratios of throughput, and of work per
	// second of the servers' CPU time. 0: it only tells.
	PerSecond, PerCPU float64
}

func put(members, connections int, perSecond, perCPU float64) Row {
	return Row{Name: "PUT", Members: members, Load: []string{"--workload", "put"}, Connections: connections, PerSecond: perSecond, PerCPU: perCPU}
}

func quorumGet(members, connections int, perSecond float64) Row {
	return Row{Name: "quorum GET", Members: members, Load: []string{"--workload", "quorum-get"}, Connections: connections, PerSecond: perSecond}
}

// watchers is how many watch in the rows about watches.
const watchers = 1000

func watch(mode string, perSecond float64) Row {
	return Row{
		Name: strconv.Itoa(watchers) + " watches, " + mode, Members: 1, Connections: 1, PerSecond: perSecond,
		Load: []string{"--workload", "watch", "--watch-mode", mode, "--watchers", strconv.Itoa(watchers)},
	}
}

// Table is what must hold.
var Table = []Row{
	put(1, 1, 1.0, 0),
	put(1, 8, 1.4, 0),
	put(1, 64, 2.2, 3),
	put(1, 256, 2.8, 0),
	put(3, 64, 2.3, 0),
	put(3, 256, 2.5, 0),
	{Name: "PUT", Members: 3, Follower: true, Load: []string{"--workload", "put"}, Connections: 1, PerSecond: 0.9},
	{Name: "GET", Members: 1, Bare: true, Load: []string{"--workload", "get"}, Connections: 64, PerCPU: 0.75},
	quorumGet(1, 64, 3.5),
	quorumGet(3, 1, 4),
	quorumGet(3, 64, 4),
	{Name: "TTL churn", Members: 1, Load: []string{"--workload", "ttl"}, Connections: 32, PerSecond: 1.5},
	{Name: "CAS wins on one key", Members: 1, Load: []string{"--workload", "cas", "--hot-keys", "1"}, Connections: 16, PerSecond: 2},
	watch("poll", 2.5),
	watch("stream", 1.5),
}
