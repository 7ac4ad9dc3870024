package story

import (
	"fmt"
	"strings"
	"time"

	"holdfast/jepsen"
	"holdfast/sim"
)

// maxWords bounds a value or a text in the story.
const maxWords = 60

// short cuts a value that is too long to be read.
func short(s string) string {
	if len(s) <= maxWords {
		return squeeze(fmt.Sprintf("%q", s))
	}
	return squeeze(fmt.Sprintf("%q… (%d bytes)", strings.ToValidUTF8(s[:maxWords], ""), len(s)))
}

// squeeze leaves three of more than eight bytes that are the same: long values are made of such.
func squeeze(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		n := 1
		for i+n < len(s) && s[i+n] == s[i] {
			n++
		}
		if n > 8 && s[i] < 0x80 && s[i] != ' ' {
			b.WriteString(s[i:i+3] + "…")
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return strings.ReplaceAll(b.String(), "……", "…")
}

// after shows a time that passed.
func after(nanos int64) string {
	d := time.Duration(nanos)
	switch {
	case d >= time.Second:
		return d.Round(time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}

// verbs tell what a client asks for.
var verbs = map[jepsen.Kind]string{ // read by key only
	jepsen.Read: "quorum GET of", jepsen.LocalRead: "local GET of", jepsen.List: "quorum list of", jepsen.LocalList: "local list of",
	jepsen.Write: "PUTs", jepsen.Create: "creates", jepsen.Update: "updates", jepsen.CAS: "swaps", jepsen.Refresh: "refreshes",
	jepsen.Delete: "DELETEs", jepsen.CAD: "DELETEs", jepsen.InOrder: "POSTs to", jepsen.MakeDir: "makes the directory",
	jepsen.RemoveDir: "removes the directory", jepsen.RemoveAll: "removes, with all below it,", jepsen.Watch: "watch of", jepsen.Stream: "watch stream of",
}

// asks tells what a client asks for: "p2 PUTs /a = "3" through m1".
func (t *teller) asks(o *jepsen.Operation) string {
	var b strings.Builder
	if o.Op.Reads() {
		fmt.Fprintf(&b, "p%d's %s %s", o.Process, verbs[o.Op], o.Key)
	} else {
		fmt.Fprintf(&b, "p%d %s %s", o.Process, verbs[o.Op], o.Key)
	}
	switch {
	case o.Op == jepsen.CAS && o.PrevIndex != 0:
		fmt.Fprintf(&b, " from index %d to %s", o.PrevIndex, short(o.Arg))
	case o.Op == jepsen.CAS:
		fmt.Fprintf(&b, " from %s to %s", short(o.Prev), short(o.Arg))
	case o.Op == jepsen.CAD && o.PrevIndex != 0:
		fmt.Fprintf(&b, " if at index %d", o.PrevIndex)
	case o.Op == jepsen.CAD:
		fmt.Fprintf(&b, " if %s", short(o.Prev))
	case o.Arg != "":
		fmt.Fprintf(&b, " = %s", short(o.Arg))
	}
	if o.TTL != 0 {
		fmt.Fprintf(&b, " for %d s", o.TTL)
	}
	if o.WaitIndex != 0 {
		fmt.Fprintf(&b, " from index %d on", o.WaitIndex)
	}
	fmt.Fprintf(&b, " through %s", t.member(o.Member))
	return b.String()
}

// came tells how an operation ended.
func (t *teller) came(o *jepsen.Operation) string {
	took := after(o.Return - o.Call)
	switch {
	case o.Outcome == jepsen.Unknown && o.Op.Reads():
		return fmt.Sprintf("no answer within %s", took)
	case o.Outcome == jepsen.Unknown:
		return fmt.Sprintf("no answer within %s: it may have happened or not", took)
	case o.Outcome == jepsen.Fail && o.ErrorCode != 0:
		text := fmt.Sprintf("refused with code %d after %s", o.ErrorCode, took)
		if o.Result != "" {
			text += ", because of " + short(o.Result)
		}
		return text
	case o.Outcome == jepsen.Fail:
		return fmt.Sprintf("it fails after %s", took)
	case o.Op == jepsen.Watch || o.Op == jepsen.Stream:
		return fmt.Sprintf("after %s it has shown %s", took, shown(o.Events))
	case o.Op == jepsen.List || o.Op == jepsen.LocalList:
		return fmt.Sprintf("%s later it shows %s as of index %d", took, count(len(o.Nodes), "node"), o.EtcdIndex)
	case o.Op.Reads() && o.Missing:
		return fmt.Sprintf("absent, it says %s later", took)
	case o.Op.Reads():
		return fmt.Sprintf("%s later it returns %s of index %d", took, short(o.Result), o.ModifiedIndex)
	}
	return fmt.Sprintf("confirmed %s later with index %d", took, o.ModifiedIndex)
}

// shown names the events that a watch saw.
func shown(events []jepsen.Event) string {
	if len(events) == 0 {
		return "nothing"
	}
	const most = 3
	var parts []string
	for i := range events {
		if i == most {
			parts = append(parts, fmt.Sprintf("%d more", len(events)-most))
			break
		}
		parts = append(parts, fmt.Sprintf("%s %s of index %d", events[i].Action, events[i].Key, events[i].Index))
	}
	return strings.Join(parts, ", ")
}

// promises say what each checker holds runs against.
var promises = map[string]string{ // read by key only
	"invariants":   "What members say of themselves has to agree: one leader a term, one history.",
	"order":        "The indices in answers are the order in which things happened, and no answer shows anything else.",
	"durable":      "What was confirmed stays, until somebody changes it.",
	"in-order":     "In-order keys are made once each, in the order of their names.",
	"watch":        "A watch shows every event from where it begins on: in order, and none left out.",
	"ttl":          "A key with a time to live is gone after it, and not before.",
	"local-reads":  "A local read may be old, but never goes back, and shows what once was true.",
	"lock":         "A lock has one holder at a time, as far as its fencing tokens tell.",
	"linearizable": "Some order of the operations, each between its call and its return, has to explain all answers.",
	"answers":      "An answer is one that the API has for what was asked.",
	"service":      "When all is healed, whoever asks is answered in time.",
	"host":         "Some things must never be, whatever the clients see.",
	"crash":        "No member may end by itself without a fault that excuses it.",
	"progress":     "When all is healed, the cluster has to do what it is asked to, in time.",
	"replay":       "An untouched log, played by the simulator that wrote it, is the same run.",
	sim.FiredLimit: "Checkers that search have a limit of time: nothing is known.",
}

// deed says what a fault does, without its number and time.
func deed(f *sim.Struck) string {
	m, o := f.Member, f.Other
	switch f.Kind {
	case "isolate", "blink":
		return m + " is cut off from all other members, in both directions"
	case "one-way":
		if f.N == 0 {
			return m + " hears none of the other members"
		}
		return "none of the other members hears " + m
	case "split":
		return "the members are parted, " + f.Detail
	case "ring":
		return "each member sees its neighbours only"
	case "bridge":
		return "the members are parted in two halves; " + m + " alone sees both"
	case "clog":
		return "what " + m + " sends to " + o + " waits"
	case "slow-link", "flaky", "lossy":
		return fmt.Sprintf("the link %s→%s goes bad (%s)", m, o, strings.TrimPrefix(f.Detail, "to "+o+" "))
	case "reset":
		return fmt.Sprintf("the connections between %s and %s break", m, o)
	case "kill":
		return m + " is to be killed"
	case "power-cut":
		return m + " is to lose its power"
	case "blackout":
		return "all members are to lose their power"
	case "aimed-kill", "aimed-cut":
		return fmt.Sprintf("%s is to die %s", m, f.Detail)
	case "pause", "hiccup":
		return m + "'s process stands still"
	case "hung-disk":
		return m + "'s disk hangs: " + f.Detail
	case "clock-rate":
		return fmt.Sprintf("%s's clocks run at %s", m, f.Detail)
	case "stale-leader":
		return fmt.Sprintf("%s, as leader, is to grow stale: %s", m, f.Detail)
	case "rot":
		return m + " is to be killed, and bits on its disk to flip"
	case "wipe":
		return m + " is killed and its disk replaced by an empty one"
	case "vote-kill":
		return fmt.Sprintf("%s is cut off %s", m, f.Detail)
	}
	return m + ": " + f.Detail // the others say it themselves
}

// named is a fault's kind and number.
func named(f *sim.Struck) string { return fmt.Sprintf("%s #%d", f.Kind, f.ID) }
