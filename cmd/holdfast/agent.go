package main

import (
	"context"
	"strings"

	altsrc "github.com/urfave/cli-altsrc/v3"
	"github.com/urfave/cli-altsrc/v3/yaml"
	"github.com/urfave/cli/v3"

	"holdfast/kernel"
)

// Defaults of the agent. Addresses are loopback: opening the store to a
// network is a decision, not a default.
const (
	defaultName            = "default"
	defaultDataDir         = "holdfast.data"
	defaultClientURL       = "http://127.0.0.1:2379"
	defaultPeerURL         = "http://127.0.0.1:2380"
	defaultOpsURL          = "http://127.0.0.1:4200"
	defaultClusterToken    = "holdfast-cluster"
	defaultHeartbeatMillis = 100
	defaultElectionMillis  = 500
	defaultSnapshotCount   = 100_000
)

// agentCommand is the daemon. Each flag may also stand in the environment as
// HOLDFAST_<FLAG> and in the YAML file named by --config; the command line
// wins over the environment, the environment over the file.
func agentCommand() *cli.Command {
	// The file's name has to be known before the other flags look into it:
	// the flag comes first and writes here.
	var config string
	return &cli.Command{
		Name: "agent", Category: categoryServer,
		Usage: "run a member of the store",
		Description: "Without flags: a complete store of one member, on this machine only, with its\n" +
			"data in ./holdfast.data. With --initial-cluster: a member of a fixed cluster.\n" +
			"Every flag may stand in the environment (HOLDFAST_DATA_DIR for --data-dir) or\n" +
			"in a YAML file (data-dir: ...) named by --config.",
		Flags: agentFlags(&config),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if _, err := arguments(cmd, 0, 0); err != nil {
				return err
			}
			if err := checkConfigFile(cmd, config); err != nil {
				return err
			}
			options, err := parseAgentOptions(cmd)
			if err != nil {
				return err
			}
			return runAgent(ctx, options)
		},
	}
}

func agentFlags(config *string) []cli.Flag {
	source := altsrc.NewStringPtrSourcer(config)
	sources := func(name string) cli.ValueSourceChain {
		return cli.NewValueSourceChain(cli.EnvVar(environmentName(name)), yaml.YAML(name, source))
	}
	text := func(name, value, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, Value: value, Usage: usage, Sources: sources(name), Local: true}
	}
	number := func(name string, value uint64, usage string) cli.Flag {
		return &cli.Uint64Flag{Name: name, Value: value, Usage: usage, Sources: sources(name), Local: true}
	}
	return []cli.Flag{
		&cli.StringFlag{
			Name: "config", Usage: "YAML `FILE` with any of these flags", Destination: config,
			Sources: cli.EnvVars("HOLDFAST_CONFIG"), TakesFile: true, Local: true,
		},
		text("name", defaultName, "`NAME` of this member, one of its own in the cluster"),
		text("data-dir", defaultDataDir, "`DIRECTORY` that belongs to this member alone"),
		text("listen-client-urls", defaultClientURL, "comma-separated `URLS` to serve clients on"),
		text("advertise-client-urls", "", "`URLS` clients are told to use; default: listen-client-urls"),
		text("listen-peer-urls", defaultPeerURL, "`URL` to serve the other members on"),
		text("initial-advertise-peer-urls", "", "`URL` the other members use; default: listen-peer-urls"),
		text("listen-ops-urls", defaultOpsURL, "comma-separated `URLS` for /healthz, /readyz, /metrics, /debug/kernel"),
		text("initial-cluster", "", "all `MEMBERS` of a new fixed cluster: name=peer-url,name=peer-url"),
		text("initial-cluster-state", stateNew, "`STATE` of that cluster: new or existing"),
		text("initial-cluster-token", defaultClusterToken, "`TOKEN` that keeps clusters apart"),
		number("heartbeat-interval", defaultHeartbeatMillis, "`MILLISECONDS` between a leader's heartbeats"),
		number("election-timeout", defaultElectionMillis, "`MILLISECONDS` without a leader before an election"),
		number("snapshot-count", defaultSnapshotCount, "log `ENTRIES` between snapshots"),
		number("history-events", kernel.DefaultHistoryEvents,
			"`EVENTS` kept for watches that start in the past; counts when the cluster is made"),
	}
}

// environmentName gives a flag's name in the environment.
func environmentName(flag string) string {
	return "HOLDFAST_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
