package conform

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// headTime is how long the headers of a long poll may take.
	headTime = 2 * time.Second
	// maxPollBytes bounds what is read of one long poll.
	maxPollBytes = 64 << 20
)

// poll is a request in the background.
type poll struct {
	cancel  context.CancelFunc
	headed  chan struct{} // closed when headers, or an error, came
	ended   chan struct{} // closed when all is over
	changed chan struct{} // holds a token when a line came

	mu  sync.Mutex
	ans answer
}

// startPoll sends req on a connection of its own, since dropping it closes it,
// and returns once the headers are there or overdue.
func startPoll(req *http.Request) *poll {
	ctx, cancel := context.WithCancel(req.Context())
	p := &poll{cancel: cancel, headed: make(chan struct{}), ended: make(chan struct{}), changed: make(chan struct{}, 1)}
	go p.run(ctx, req.WithContext(ctx))
	late := time.NewTimer(headTime)
	defer late.Stop()
	select {
	case <-p.headed:
	case <-late.C:
		p.mu.Lock()
		p.ans.lateHead = true
		p.mu.Unlock()
	}
	return p
}

func (p *poll) run(ctx context.Context, req *http.Request) {
	defer close(p.ended)
	tr := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr, CheckRedirect: noRedirect}).Do(req)
	p.mu.Lock()
	if p.ans.err = err; err == nil {
		p.ans.head(resp)
	}
	p.mu.Unlock()
	close(p.headed)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	body := bufio.NewReader(io.LimitReader(resp.Body, maxPollBytes))
	for {
		text, err := body.ReadString('\n')
		p.add(text, err, ctx.Err() != nil)
		if err != nil {
			return
		}
	}
}

// add takes a line; dropped tells that we hung up ourselves.
func (p *poll) add(text string, err error, dropped bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := &p.ans
	a.at = time.Now()
	a.body = append(a.body, text...)
	if strings.TrimSpace(text) != "" {
		a.lines = append(a.lines, timedLine{text, a.at})
	}
	a.ended = err != nil
	if err != nil && !errors.Is(err, io.EOF) && !dropped {
		a.err = err
	}
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// now is a copy of the answer so far.
func (p *poll) now() *answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.ans
	a.body = append([]byte(nil), a.body...)
	a.lines = append([]timedLine(nil), a.lines...)
	return &a
}

// drop hangs up and waits until that has taken place.
func (p *poll) drop() {
	p.cancel()
	<-p.ended
}

// await waits as the step says: for a stream until it has the events expected
// and is quiet; for one answer until it ends, or, if none is expected yet, for
// the quiet time.
func (p *poll) await(st *Step) *answer {
	if st.Stream {
		return p.awaitStream(st)
	}
	wait := millis(st.TimeoutMS, 5*time.Second)
	if st.Expect != nil && st.Expect.Pending {
		wait = millis(st.QuietMS, 300*time.Millisecond)
	}
	select {
	case <-p.ended:
		return p.now()
	case <-time.After(wait):
	}
	a := p.now()
	if !a.ended && len(a.body) > 0 {
		a.err = errors.New("an event came, but the answer did not end")
	}
	return a
}

func (p *poll) awaitStream(st *Step) *answer {
	want := 0
	if st.Expect != nil {
		want = len(st.Expect.Events)
	}
	overdue := time.After(millis(st.TimeoutMS, 5*time.Second))
	for len(p.now().lines) < want {
		select {
		case <-p.changed:
		case <-p.ended:
			return p.now()
		case <-overdue:
			return p.now()
		}
	}
	quiet := millis(st.QuietMS, 400*time.Millisecond)
	for {
		select { // what is known already is not news
		case <-p.changed:
		default:
		}
		select {
		case <-p.changed:
		case <-p.ended:
			return p.now()
		case <-time.After(quiet):
			return p.now()
		}
	}
}

func millis(n int, otherwise time.Duration) time.Duration {
	if n > 0 {
		return time.Duration(n) * time.Millisecond
	}
	return otherwise
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
