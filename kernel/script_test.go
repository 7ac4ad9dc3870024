package kernel

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var rewrite = flag.Bool("rewrite", false, "write the golden parts of testdata/scripts and docs/format-kernel.md anew; commit only changes that you can explain")

// TestScripts plays testdata/scripts/*.txt. A line is a command, a comment
// (#), empty, or, indented, what the command above must print. The words of a
// command are separated by blanks; "" is an empty value. testdata/README.md
// lists the verbs.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/scripts/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			got := play(t, string(want))
			if *rewrite {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
				return
			}
			assert.Equal(t, string(want), got, "run the test with -rewrite if the change is meant")
		})
	}
}

const indent = "    "

func play(t *testing.T, script string) string {
	p := &player{t: t, l: &leader{t: t, s: New()}}
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, indent) {
			continue
		}
		p.out.WriteString(line)
		words := strings.Fields(line)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		p.line = strings.TrimSpace(line)
		p.run(words[0], p.words(words[1:]))
	}
	return p.out.String()
}

// player runs the lines of one script.
type player struct {
	t        *testing.T
	l        *leader
	line     string
	snapshot []byte
	out      strings.Builder
}

// words are the arguments of a command: those in order, and those by name.
type words struct {
	list  []string
	named map[string]string
	flags map[string]bool
}

func (p *player) words(list []string) *words {
	w := &words{named: map[string]string{}, flags: map[string]bool{}}
	for _, word := range list {
		name, value, named := strings.Cut(word, "=")
		switch {
		case word == `""`:
			w.list = append(w.list, "")
		case word == "dir" || word == "recursive" || word == "refresh":
			w.flags[word] = true
		case named && !strings.Contains(name, "/"):
			w.named[name] = value
		default:
			w.list = append(w.list, word)
		}
	}
	return w
}

func (p *player) fail(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("%q: "+format, append([]any{p.line}, args...)...)
}

func (p *player) arg(w *words, i int) string {
	if i >= len(w.list) {
		p.fail("%d words are too few", len(w.list))
	}
	return w.list[i]
}

func (p *player) number(word string) uint64 {
	n, err := strconv.ParseUint(word, 0, 64)
	if err != nil {
		p.fail("%v", err)
	}
	return n
}

func (p *player) print(format string, args ...any) {
	p.out.WriteString(indent + fmt.Sprintf(format, args...) + "\n")
}

func (p *player) run(verb string, w *words) {
	if c, ok := p.command(verb, w); ok {
		p.apply(c)
		return
	}
	s := p.l.s
	switch verb {
	case "session":
		session := Session{Term: p.number(w.named["term"])}
		if restore, ok := w.named["restore"]; ok {
			session.Restore = p.number(restore)
		}
		p.l.open(session)
		p.print("time %v", time.Duration(s.Now()))
	case "deposed":
		p.l.session.Term = p.number(w.named["term"])
	case "advance":
		d, err := time.ParseDuration(p.arg(w, 0))
		require.NoError(p.t, err)
		p.l.advance(Time(d))
	case "tick":
		p.l.batch()
		p.print("time %v", time.Duration(s.Now()))
	case "get":
		p.get(w)
	case "ls":
		p.list(p.arg(w, 0), w.flags["recursive"])
	case "replay":
		p.replay(w)
	case "members":
		for _, m := range s.Members() {
			p.print("%x uid=%d name=%s peers=%s clients=%s", m.ID, m.UID, m.Name, strings.Join(m.PeerURLs, ","), strings.Join(m.ClientURLs, ","))
		}
	case "snapshot":
		p.snapshot = snapshotBytes(p.t, s)
		p.print("%d bytes at log index %d", len(p.snapshot), s.Applied())
	case "restore":
		p.l.s = restored(p.t, p.snapshot)
		p.l.index = p.l.s.Applied()
		p.print("log index %d, store index %d, same bytes: %t", p.l.index, p.l.s.Index(), bytes.Equal(p.snapshot, snapshotBytes(p.t, p.l.s)))
	case "hash":
		p.print("log index %d, store index %d, history %016x, state %.16s", s.Applied(), s.Index(), s.HistoryHash(), s.Snapshot().StateHash())
	default:
		p.fail("no such verb")
	}
}

// command makes the command that a verb stands for.
func (p *player) command(verb string, w *words) (Command, bool) {
	ops := map[string]Op{
		"set": OpSet, "create": OpCreate, "post": OpCreateInOrder, "update": OpUpdate, "cas": OpCompareAndSwap,
		"delete": OpDelete, "cad": OpCompareAndDelete, "expire": OpExpire, "member": 0, "version": OpClusterVersion, "setting": OpSetting,
	}
	op, ok := ops[verb]
	c := Command{Op: op, Dir: w.flags["dir"], Recursive: w.flags["recursive"], Refresh: w.flags["refresh"], PrevValue: w.named["prev"]}
	switch verb {
	case "version":
		c.Value = p.arg(w, 0)
	case "member":
		return p.member(w), true
	}
	if op.onKey() || op == OpSetting {
		c.Path = p.arg(w, 0)
		if len(w.list) > 1 {
			c.Value = w.list[1]
		}
	}
	if ttl, ok := w.named["ttl"]; ok {
		c.HasTTL, c.TTLSeconds = true, p.number(ttl)
	}
	if index, ok := w.named["index"]; ok {
		c.PrevIndex = StoreIndex(p.number(index))
	}
	return c, ok
}

func (p *player) member(w *words) Command {
	ops := map[string]Op{"add": OpMemberAdd, "attributes": OpMemberAttributes, "update": OpMemberUpdate, "remove": OpMemberRemove}
	urls := func(name string) []string {
		return strings.FieldsFunc(w.named[name], func(r rune) bool { return r == ',' })
	}
	id := p.number("0x" + p.arg(w, 1))
	return Command{Op: ops[p.arg(w, 0)], Member: Member{ID: id, Name: w.named["name"], PeerURLs: urls("peers"), ClientURLs: urls("clients")}}
}

func (p *player) apply(c Command) {
	out := p.l.batch(c)
	for _, e := range out.Events {
		p.event(e)
	}
	if refused := out.Results[0].Err; refused != nil {
		p.print("refused %v, index %d", refused, refused.Index)
	}
}

func (p *player) event(e *Event) {
	line := fmt.Sprintf("%d %s", e.Index, e.Action)
	if e.Refresh {
		line += " (refresh)"
	}
	switch {
	case e.Action.Removes():
		line += fmt.Sprintf(" %s modified=%d created=%d", e.Node.Path, e.Node.Modified, e.Node.Created)
	case e.Node != nil:
		line += " " + shown(e.Node, e.Clock)
	}
	if e.Prev != nil {
		line += ", was " + shown(e.Prev, e.Clock)
	}
	p.print("%s", line)
}

// shown is a node as etcd would show it, in one line.
func shown(n *Node, c Clock) string {
	text := strings.TrimSuffix(n.Path, "/")
	if n.Dir {
		text += "/"
	} else {
		text += fmt.Sprintf(" %q", n.Value)
	}
	text += fmt.Sprintf(" modified=%d created=%d", n.Modified, n.Created)
	if n.Deadline != 0 {
		text += fmt.Sprintf(" ttl=%d", c.TTLSeconds(n.Deadline))
	}
	return text
}

func (p *player) get(w *words) {
	v := p.l.s.View()
	n, refused := v.Get(p.arg(w, 0))
	if refused != nil {
		p.print("refused %v, index %d", refused, refused.Index)
		return
	}
	p.print("%s", shown(n, v.Clock))
}

func (p *player) list(dir string, recursive bool) {
	v := p.l.s.View()
	v.Children(dir, func(n *Node) bool {
		p.print("%s", shown(n, v.Clock))
		if n.Dir && recursive {
			p.list(n.Path, true)
		}
		return true
	})
}

func (p *player) replay(w *words) {
	since := StoreIndex(p.number(p.arg(w, 0)))
	refused := p.l.s.Replay(since, func(e *Event) bool {
		if e.Matches(p.arg(w, 1), w.flags["recursive"]) {
			p.event(e)
		}
		return true
	})
	if refused != nil {
		p.print("refused %v, index %d", refused, refused.Index)
	}
}
