package differential

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// maxTries bounds the executions spent on making one script smaller.
const maxTries = 400

// Pair is two servers to be compared; nobody else may write to them.
type Pair struct {
	a, b  *server
	run   string // begins the name of every root
	count int
}

// NewPair returns the pair of servers at two base URLs. The first is the one
// that is right.
func NewPair(a, b string) (*Pair, error) {
	sa, err := newServer(a)
	if err != nil {
		return nil, err
	}
	sb, err := newServer(b)
	if err != nil {
		return nil, err
	}
	return &Pair{a: sa, b: sb, run: strconv.FormatInt(time.Now().UnixNano()%1e9, 36)}, nil
}

// Close drops idle connections.
func (p *Pair) Close() {
	p.a.client.CloseIdleConnections()
	p.b.client.CloseIdleConnections()
}

// Mismatch is a script whose answers differ.
type Mismatch struct {
	Script Script // made as small as could be
	Step   Step   // the first step that is answered differently
	Detail string
	// Steps is how many steps the script had at first.
	Steps int
}

// String shows the mismatch with the commands that lead to it.
func (m *Mismatch) String() string {
	return fmt.Sprintf("seed %d, %d of %d steps left:\n%sstep %d differs: %s", m.Script.Seed, len(m.Script.Steps), m.Steps, m.Script, m.Step.ID, m.Detail)
}

// Run executes a script on both servers and returns nil if all answers are
// equal. A difference must show in a second execution too, for a slow machine
// can make a watch look silent; seen tells how many did not.
func (p *Pair) Run(ctx context.Context, script Script) (m *Mismatch, fleeting int, err error) {
	for try := 0; ; try++ {
		m, err = p.once(ctx, script)
		if err != nil || m == nil {
			return nil, try, err
		}
		if try == 1 {
			m, err = p.minimize(ctx, m)
			return m, 0, err
		}
	}
}

// once executes the script on both servers at the same time.
func (p *Pair) once(ctx context.Context, script Script) (*Mismatch, error) {
	p.count++
	root := fmt.Sprintf("/d%s-%06d", p.run, p.count)
	var xa, xb *session
	var errA, errB error
	var wg sync.WaitGroup
	wg.Go(func() { xa, errA = p.a.execute(ctx, script, root) })
	wg.Go(func() { xb, errB = p.b.execute(ctx, script, root) })
	wg.Wait()
	if errA != nil {
		return nil, errA
	}
	if errB != nil {
		return nil, errB
	}
	settle(xa, xb)
	xa.cleanUp(ctx)
	xb.cleanUp(ctx)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("differential: %w", err)
	}
	for i := range script.Steps {
		st := script.Steps[i]
		if d := difference(&st, &xa.answers[i], &xb.answers[i], xa.first, xb.first); d != "" {
			return &Mismatch{Script: script, Step: st, Detail: d, Steps: len(script.Steps)}, nil
		}
	}
	return nil, nil
}

// minimize cuts the script after the step that differs, then leaves out steps
// and parameters one by one as long as something still differs.
func (p *Pair) minimize(ctx context.Context, m *Mismatch) (*Mismatch, error) {
	steps, tries := m.Steps, 0
	attempt := func(s []Step) (bool, error) {
		tries++
		got, err := p.once(ctx, Script{Seed: m.Script.Seed, Steps: s})
		if err != nil || got == nil {
			return false, err
		}
		m = got
		return true, nil
	}
	if _, err := attempt(upTo(m.Script.Steps, m.Step.ID)); err != nil {
		return nil, err
	}
	for smaller := true; smaller && tries < maxTries; {
		smaller = false
		for i := 0; i < len(m.Script.Steps) && tries < maxTries; {
			changed := false
			for _, variant := range variants(m.Script.Steps, i) {
				ok, err := attempt(variant)
				if err != nil {
					return nil, err
				}
				if ok {
					changed, smaller = true, true
					break
				}
			}
			if !changed {
				i++
			}
		}
	}
	m.Steps = steps
	return m, nil
}

func upTo(steps []Step, id int) []Step {
	for i := range steps {
		if steps[i].ID == id {
			return steps[:i+1]
		}
	}
	return steps
}

// variants are the scripts in which step i is left out or has one parameter
// less.
func variants(steps []Step, i int) [][]Step {
	replace := func(with ...Step) []Step {
		out := append([]Step(nil), steps[:i]...)
		return append(append(out, with...), steps[i+1:]...)
	}
	all := [][]Step{replace()}
	st := steps[i]
	for j := range st.Query {
		v := st
		v.Query = without(st.Query, j)
		if v.Watch == NoWatch || j > 0 { // a watch keeps its wait=true
			all = append(all, replace(v))
		}
	}
	for j := range st.Form {
		v := st
		v.Form = without(st.Form, j)
		all = append(all, replace(v))
	}
	return all
}

func without(l []string, j int) []string {
	out := append([]string{}, l[:j]...)
	return append(out, l[j+1:]...)
}
