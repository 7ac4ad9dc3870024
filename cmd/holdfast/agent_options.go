package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"holdfast/kernel"
)

// Values of --initial-cluster-state.
const (
	stateNew      = "new"
	stateExisting = "existing"
)

// Limits of what the flags may say.
const (
	maxTokenBytes     = 256
	maxURLs           = 8  // of one kind
	maxInitialMembers = 15 // a quorum of more costs more than it gives
	minHeartbeat      = 10 * time.Millisecond
	maxElection       = 50 * time.Second // etcd's limit
	// minElectionHeartbeats is etcd's rule: fewer, and one late heartbeat
	// makes an election.
	minElectionHeartbeats = 5
	minSnapshotCount      = 100
)

// agentOptions is what the agent's flags say, checked. URLs have the form
// http://host:port.
type agentOptions struct {
	Name    string
	DataDir string

	ListenClientURLs        []string
	AdvertiseClientURLs     []string
	ListenPeerURL           string
	InitialAdvertisePeerURL string
	ListenOpsURLs           []string
	InitialCluster          []initialMember // in the order given; nil: a single member
	InitialClusterState     string          // stateNew or stateExisting
	InitialClusterToken     string
	HeartbeatInterval       time.Duration
	ElectionTimeout         time.Duration
	SnapshotCount           uint64 // log entries
	HistoryEvents           int    // events; seeds a new cluster's setting; 0: not given
}

// initialMember is one entry of --initial-cluster.
type initialMember struct {
	Name    string
	PeerURL string
}

// parseAgentOptions checks the flags. Every error names the flag, the value
// and what to do, and counts as a wrong call.
func parseAgentOptions(cmd *cli.Command) (agentOptions, error) {
	p := &optionParser{cmd: cmd}
	o := agentOptions{
		Name:                p.name(),
		DataDir:             p.required("data-dir"),
		ListenClientURLs:    p.listenURLs("listen-client-urls"),
		ListenPeerURL:       p.only("listen-peer-urls", p.listenURLs("listen-peer-urls")),
		ListenOpsURLs:       p.listenURLs("listen-ops-urls"),
		InitialClusterState: p.state(),
		InitialClusterToken: p.token(),
		HeartbeatInterval:   p.millis("heartbeat-interval"),
		ElectionTimeout:     p.millis("election-timeout"),
		SnapshotCount:       cmd.Uint64("snapshot-count"),
		HistoryEvents:       p.historyEvents(),
	}
	o.AdvertiseClientURLs = p.advertisedURLs("advertise-client-urls", "listen-client-urls", o.ListenClientURLs)
	o.InitialAdvertisePeerURL = p.only("initial-advertise-peer-urls",
		p.advertisedURLs("initial-advertise-peer-urls", "listen-peer-urls", []string{o.ListenPeerURL}))
	o.InitialCluster = p.initialCluster(o.Name, o.InitialAdvertisePeerURL)
	p.checkTimes(o.HeartbeatInterval, o.ElectionTimeout)
	if o.SnapshotCount < minSnapshotCount {
		p.refuse("snapshot-count", fmt.Sprintf("below %d, a snapshot would cost more than the log", minSnapshotCount),
			"leave it out or raise it")
	}
	p.checkSharedPorts(o)
	return o, p.err
}

// optionParser keeps the first error, so that the parsing above reads as a
// list.
type optionParser struct {
	cmd *cli.Command
	err error
}

// refuse records an error about a flag's value.
func (p *optionParser) refuse(flag, cause, advice string) {
	if p.err == nil {
		p.err = &usageError{fmt.Sprintf("agent: --%s %q: %s; %s", flag, fmt.Sprint(p.cmd.Value(flag)), cause, advice)}
	}
}

func (p *optionParser) required(flag string) string {
	text := p.cmd.String(flag)
	if text == "" {
		p.refuse(flag, "is empty", "give a value or leave the flag out")
	}
	return text
}

func (p *optionParser) name() string {
	name := p.required("name")
	if cause := badName(name); cause != "" {
		p.refuse("name", cause, "choose a plain name like node1")
	}
	return name
}

func badName(name string) string {
	switch {
	case name == "":
		return "the name is empty"
	case len(name) > kernel.MaxNameBytes:
		return fmt.Sprintf("longer than %d bytes", kernel.MaxNameBytes)
	case strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == '=' || r == ',' || r == 0x7f || r == 0xfffd }):
		return `holds a blank, a control character, "=" or ","`
	}
	return ""
}

func (p *optionParser) token() string {
	token := p.required("initial-cluster-token")
	if len(token) > maxTokenBytes {
		p.refuse("initial-cluster-token", fmt.Sprintf("longer than %d bytes", maxTokenBytes), "shorten it")
	}
	return token
}

func (p *optionParser) state() string {
	state := p.cmd.String("initial-cluster-state")
	if state != stateNew && state != stateExisting {
		p.refuse("initial-cluster-state", "unknown state", "say new or existing")
	}
	if state == stateExisting && p.cmd.String("initial-cluster") == "" {
		p.refuse("initial-cluster-state", "no cluster is named", "name its members with --initial-cluster")
	}
	return state
}

func (p *optionParser) millis(flag string) time.Duration {
	ms := p.cmd.Uint64(flag)
	if ms > uint64(maxElection/time.Millisecond) {
		p.refuse(flag, fmt.Sprintf("above %d milliseconds", maxElection/time.Millisecond), "lower it")
		return maxElection
	}
	return time.Duration(ms) * time.Millisecond
}

func (p *optionParser) checkTimes(heartbeat, election time.Duration) {
	if heartbeat < minHeartbeat {
		p.refuse("heartbeat-interval", fmt.Sprintf("below %d milliseconds", minHeartbeat/time.Millisecond), "raise it")
	}
	if election < minElectionHeartbeats*heartbeat {
		p.refuse("election-timeout",
			fmt.Sprintf("below %d heartbeat intervals (%d ms)", minElectionHeartbeats, heartbeat/time.Millisecond),
			fmt.Sprintf("set it to at least %d", minElectionHeartbeats*heartbeat/time.Millisecond))
	}
}

// historyEvents is 0 if the flag was not given: then a cluster has what it was
// made with.
func (p *optionParser) historyEvents() int {
	if !p.cmd.IsSet("history-events") {
		return 0
	}
	events := p.cmd.Uint64("history-events")
	if events < kernel.MinHistoryEvents || events > kernel.MaxHistoryEvents {
		p.refuse("history-events", fmt.Sprintf("outside %d..%d", kernel.MinHistoryEvents, kernel.MaxHistoryEvents), "choose a number within")
		return kernel.MinHistoryEvents
	}
	return int(events)
}

// urls parses a list of URLs.
func (p *optionParser) urls(flag string) []string {
	var list []string
	for _, text := range strings.Split(p.required(flag), ",") {
		u, err := parseAddress(strings.TrimSpace(text))
		if err != nil {
			p.refuse(flag, err.Error(), "write it as http://HOST:PORT")
			return nil
		}
		if slices.Contains(list, u) {
			p.refuse(flag, u+" stands there twice", "name each address once")
		}
		list = append(list, u)
	}
	if len(list) > maxURLs {
		p.refuse(flag, fmt.Sprintf("more than %d addresses", maxURLs), "name fewer")
	}
	return list
}

// listenURLs parses addresses to listen on. A name other than localhost is
// refused, as etcd does: it could change its meaning under a running member.
func (p *optionParser) listenURLs(flag string) []string {
	list := p.urls(flag)
	for _, text := range list {
		host := urlHost(text)
		if host != "localhost" && net.ParseIP(host) == nil {
			p.refuse(flag, fmt.Sprintf("%q is a name", host), "listen on an IP address or localhost")
		}
	}
	return list
}

// advertisedURLs parses addresses told to others, by default those listened
// on, unless these mean "every interface", which nobody can connect to.
func (p *optionParser) advertisedURLs(flag, listenFlag string, listen []string) []string {
	list := listen
	if p.cmd.String(flag) != "" {
		list = p.urls(flag)
	}
	for _, text := range list {
		if ip := net.ParseIP(urlHost(text)); ip != nil && ip.IsUnspecified() {
			p.refuse(flag, fmt.Sprintf("--%s listens everywhere, others need one address", listenFlag),
				"set --"+flag+" to an address they can reach")
		}
	}
	return list
}

// only takes the single element of a list.
func (p *optionParser) only(flag string, list []string) string {
	if len(list) == 0 {
		return "" // an error stands recorded
	}
	if len(list) > 1 {
		p.refuse(flag, "members talk over one address each", "name a single URL")
	}
	return list[0]
}

// initialCluster parses --initial-cluster and checks that it holds this
// member under its own name and address.
func (p *optionParser) initialCluster(name, peerURL string) []initialMember {
	const flag = "initial-cluster"
	text := p.cmd.String(flag)
	if text == "" {
		return nil
	}
	var members []initialMember
	for _, entry := range strings.Split(text, ",") {
		m, err := parseInitialMember(strings.TrimSpace(entry))
		if err != nil {
			p.refuse(flag, err.Error(), "write NAME=http://HOST:PORT,NAME=http://HOST:PORT")
			return nil
		}
		if slices.ContainsFunc(members, func(o initialMember) bool { return o.Name == m.Name || o.PeerURL == m.PeerURL }) {
			p.refuse(flag, fmt.Sprintf("%s=%s repeats a name or an address", m.Name, m.PeerURL), "name each member once")
		}
		members = append(members, m)
	}
	if len(members) > maxInitialMembers {
		p.refuse(flag, fmt.Sprintf("%d members, the limit is %d", len(members), maxInitialMembers), "name fewer")
	}
	self := slices.IndexFunc(members, func(m initialMember) bool { return m.Name == name })
	switch {
	case self < 0:
		p.refuse(flag, fmt.Sprintf("this member, --name %s, is not in it", name), "add it or correct --name")
	case members[self].PeerURL != peerURL:
		p.refuse(flag, fmt.Sprintf("%s is %s there but advertises %s", name, members[self].PeerURL, peerURL),
			"make it equal --initial-advertise-peer-urls")
	}
	return members
}

func parseInitialMember(entry string) (initialMember, error) {
	name, address, found := strings.Cut(entry, "=")
	if !found {
		return initialMember{}, fmt.Errorf("%q is not NAME=URL", entry)
	}
	if cause := badName(name); cause != "" {
		return initialMember{}, fmt.Errorf("%q: %s", entry, cause)
	}
	peerURL, err := parseAddress(address)
	if err != nil {
		return initialMember{}, err
	}
	if ip := net.ParseIP(urlHost(peerURL)); ip != nil && ip.IsUnspecified() {
		return initialMember{}, fmt.Errorf("%q names no address that others can reach", entry)
	}
	return initialMember{Name: name, PeerURL: peerURL}, nil
}

// checkSharedPorts finds a port that two of our own listeners claim, before
// the second one fails with the system's words for it.
func (p *optionParser) checkSharedPorts(o agentOptions) {
	taken := map[string]string{}
	claim := func(flag string, urls []string) {
		for _, u := range urls {
			address := strings.TrimPrefix(u, "http://")
			if other, ok := taken[address]; ok && !strings.HasSuffix(address, ":0") {
				p.refuse(flag, fmt.Sprintf("%s is --%s too", address, other), "give each its own port")
			}
			taken[address] = flag
		}
	}
	claim("listen-client-urls", o.ListenClientURLs)
	claim("listen-peer-urls", []string{o.ListenPeerURL})
	claim("listen-ops-urls", o.ListenOpsURLs)
}

// parseAddress checks a URL of the form http://host:port and gives it without
// a trailing slash.
func parseAddress(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", fmt.Errorf("%q is not a URL", text)
	}
	if u.Scheme == "https" {
		return "", fmt.Errorf("%q asks for TLS, which is not served yet", text)
	}
	if u.Scheme != "http" || u.Host == "" {
		return "", fmt.Errorf("%q is not an http URL", text)
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", fmt.Errorf("%q has more than host and port", text)
	}
	if err := checkPort(u); err != nil {
		return "", fmt.Errorf("%q: %w", text, err)
	}
	return "http://" + u.Host, nil
}

func checkPort(u *url.URL) error {
	if u.Hostname() == "" {
		return errors.New("the host is missing")
	}
	if u.Port() == "" {
		return errors.New("the port is missing")
	}
	if _, err := strconv.ParseUint(u.Port(), 10, 16); err != nil {
		return fmt.Errorf("%s is no port", u.Port())
	}
	return nil
}

func urlHost(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "" // parsed before, cannot fail
	}
	return u.Hostname()
}
