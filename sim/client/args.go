package client

import (
	"encoding/json"
	"fmt"
	"time"
)

// Config is what the clients do.
type Config struct {
	// Endpoints are http://ip:port of every member.
	Endpoints []string `json:"endpoints"`
	// Seed decides all that they draw.
	Seed uint64 `json:"seed"`
	// Epoch is the history's origin by their wall clock; nothing new begins after End but for the final reads.
	Epoch time.Time `json:"epoch"`
	End   time.Time `json:"end"`
	// Workloads go on at one time.
	Workloads []Workload `json:"workloads"`
	// Ring is how many events the members remember; 0: the kernel's default.
	Ring int `json:"ring,omitempty"`
	// Timeout is how long an operation waits for its answer, but for watches; 0: jepsen.DefaultTimeout.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Bulk is how long some values are made, in bytes; 0: all are short.
	Bulk int `json:"bulk,omitempty"`
	// PatientUntil is the time for which reading back waits: before it members may still be on their way back.
	PatientUntil time.Time `json:"patient_until,omitzero"`
	// Skips are operations that are left out.
	Skips []Skip `json:"skips,omitempty"`
	// FinalRead asks for everything to be read back through every member when they have finished.
	FinalRead bool `json:"final_read,omitempty"`
}

// Skip leaves out some operations of one client: those from From, counted from 0, to before To.
type Skip struct {
	Client int `json:"client"` // its process number
	From   int `json:"from"`
	To     int `json:"to"`
}

// Workload is one of package jepsen's, by its name.
type Workload struct {
	Name    string `json:"name"`
	Clients int    `json:"clients"`
	// Keys is how many keys they share; 0: as the workload has it.
	Keys int `json:"keys,omitempty"`
	// PauseNanos is the longest that each waits before a step; 0: such that all clients together make about Rate steps a second.
	PauseNanos int64 `json:"pause_nanos,omitempty"`
}

// Rate is how many steps a second all clients together make unless told otherwise; most steps are one operation.
const Rate = 50

// All is every workload, with few clients each.
func All() []Workload {
	return []Workload{
		{Name: "register", Clients: 3}, {Name: "cas", Clients: 3}, {Name: "queue", Clients: 2}, {Name: "dirs", Clients: 2},
		{Name: "ttl", Clients: 3}, {Name: "lock", Clients: 3}, {Name: "watch", Clients: 4}, {Name: "mixed", Clients: 2},
	}
}

// Clients counts the clients that work at one time: their process numbers are below it, and it is the number of who reads back.
func (cfg *Config) Clients() int {
	n := 0
	for _, w := range cfg.Workloads {
		n += w.Clients
	}
	return n
}

// Args is the configuration as a process's arguments, one of JSON; ParseArgs reads it back.
func (cfg Config) Args() []string {
	cfg.Epoch, cfg.End, cfg.PatientUntil = cfg.Epoch.UTC(), cfg.End.UTC(), cfg.PatientUntil.UTC() // wherever the host is
	b, err := json.Marshal(cfg)
	if err != nil {
		panic(fmt.Errorf("client arguments: %w", err)) // years beyond 9999 only
	}
	return []string{string(b)}
}

// ParseArgs is the inverse of Args.
func ParseArgs(args []string) (Config, error) {
	if len(args) != 1 {
		return Config{}, fmt.Errorf("client arguments: %d; expect one, of JSON", len(args))
	}
	var cfg Config
	if err := json.Unmarshal([]byte(args[0]), &cfg); err != nil {
		return Config{}, fmt.Errorf("client arguments: %w; expect what Args makes", err)
	}
	return cfg, nil
}
