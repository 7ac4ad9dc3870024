//go:build unix

package hostile

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	manyWatches = 10_000
	parked      = "200, waiting"
)

func watchRows() []Row {
	want := map[string]int{parked: manyWatches}
	return []Row{
		{
			Name: "watches, closed", Count: manyWatches, Alone: true, Want: want, Attack: parkWatches,
			Did: "%d clients wait for an event, half of them on streams, and close their connections without a word",
		},
		{
			Name: "watches, reset", Count: manyWatches, Alone: true, Want: want,
			Did: "%d clients wait for an event, half of them on streams, and end their connections with a reset",
			Attack: func(ctx context.Context, s *stage) error {
				if err := parkWatches(ctx, s); err != nil {
					return err
				}
				return s.reset()
			},
		},
		{
			Name: "watchers that do not read", Count: 100, Attack: watchAndNeverRead, Want: map[string]int{parked: 100},
			Args: []string{"--history-events", fmt.Sprint(keptEvents)}, Prepare: writeHistory,
			Did: "%d watches, half of them streams, read nothing while 300 values of 256 KiB are written below them",
		},
		{
			Name: "old events for clients that do not read", Count: 100, Attack: replayAndNeverRead,
			Args: []string{"--history-events", fmt.Sprint(largeValues)}, Prepare: writeHistory,
			Did: "the history holds 300 values of 256 KiB; %d streams begin with the first of them and read nothing",
		},
	}
}

// parkWatches opens all watches and holds them for a moment.
func parkWatches(ctx context.Context, s *stage) error {
	err := each(ctx, s.count, openBeside, func(i int) error { return s.park("/v2/keys/watched", i%2 == 0) })
	wait(ctx, holdTime)
	return err
}

// holdTime is how long an attack that is complete is held.
const holdTime = time.Second

// park opens one watch and reads the head of its answer.
func (s *stage) park(path string, stream bool) error {
	c, err := s.dial(s.target.Client)
	if err != nil {
		return err
	}
	if err := askWatch(c, path, fmt.Sprintf("stream=%t", stream)); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(c, 512), nil)
	switch {
	case err != nil:
		s.answers.add(noAnswer(err))
	case resp.StatusCode != http.StatusOK:
		body, _ := io.ReadAll(resp.Body)
		s.answers.add(fmt.Sprintf("%d %s", resp.StatusCode, words(body)))
	default:
		s.answers.add(parked)
	}
	return nil
}

func askWatch(to io.Writer, path, query string) error {
	_, err := fmt.Fprintf(to, "GET %s?wait=true&recursive=true&%s HTTP/1.1\r\nHost: h\r\n\r\n", path, query)
	return err
}

// Large values: more than sockets hold.
const (
	largeValues     = 300
	largeValueBytes = 256 << 10
	// keptEvents is a history that is full of large values before the attack, so
	// that none of its memory is taken for the attack's.
	keptEvents = 50
)

// writeHistory fills the history.
func writeHistory(_ context.Context, s *stage) error { return s.writeLarge() }

// watchAndNeverRead has events flow to clients that do not take them.
func watchAndNeverRead(ctx context.Context, s *stage) error {
	if err := each(ctx, s.count, openBeside, func(i int) error { return s.park("/v2/keys/large", i%2 == 0) }); err != nil {
		return err
	}
	return s.writeLarge()
}

// writeLarge writes large values over one connection.
func (s *stage) writeLarge() error {
	c, err := s.dial(s.target.Client)
	if err != nil {
		return err
	}
	from := bufio.NewReader(c)
	body := "value=" + strings.Repeat("v", largeValueBytes)
	for i := range largeValues {
		if _, err := io.WriteString(c, put(fmt.Sprintf("/v2/keys/large/%d?noValueOnSuccess=true", i%10), body)); err != nil {
			return err
		}
		if answer := readAnswer(from); !strings.HasPrefix(answer, "20") {
			return fmt.Errorf("write a large value: %s", answer)
		}
	}
	return nil
}

// replayAndNeverRead has clients ask for the history, and not take it.
func replayAndNeverRead(ctx context.Context, s *stage) error {
	err := each(ctx, s.count, openBeside, func(int) error {
		c, err := s.dial(s.target.Client)
		if err != nil {
			return err
		}
		return askWatch(c, "/v2/keys/large", "stream=true&waitIndex=1")
	})
	wait(ctx, 5*holdTime)
	return err
}

// put is a request that writes a form.
func put(target, body string) string {
	return fmt.Sprintf("PUT %s HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", target, len(body), body)
}
