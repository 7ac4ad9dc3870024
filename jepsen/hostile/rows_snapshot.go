//go:build unix

package hostile

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
)

const (
	manySnapshots = 200
	// snapshotsSent is how many the daemon sends at a time.
	snapshotsSent = 2
	// snapshotValues of snapshotValueBytes do not compress: more than sockets hold.
	snapshotValues     = 32
	snapshotValueBytes = 1 << 20

	snapshotBegun   = "200, begun"
	snapshotRefused = "503 503 2 snapshots are being sent by this member; try again later, or ask another"
)

func snapshotRows() []Row {
	return []Row{{
		Name: "snapshots that nobody reads", Count: manySnapshots, Prepare: fillIncompressible, Attack: snapshotsUnread,
		Did:  "the store holds 32 MiB that does not compress; %d clients ask for a snapshot of it and read no more than the head of the answer",
		Want: map[string]int{snapshotBegun: snapshotsSent, snapshotRefused: manySnapshots - snapshotsSent},
	}}
}

// fillIncompressible writes values without repetitions.
func fillIncompressible(_ context.Context, s *stage) error {
	c, err := s.dial(s.target.Client)
	if err != nil {
		return err
	}
	from, random := bufio.NewReader(c), rand.New(rand.NewPCG(1, 2))
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	value := make([]byte, snapshotValueBytes)
	for i := range snapshotValues {
		for at := range value {
			value[at] = letters[random.IntN(len(letters))]
		}
		if _, err := io.WriteString(c, put(fmt.Sprintf("/v2/keys/kept/%d?noValueOnSuccess=true", i), "value="+string(value))); err != nil {
			return err
		}
		if answer := readAnswer(from); !strings.HasPrefix(answer, "20") {
			return fmt.Errorf("write a value: %s", answer)
		}
	}
	return c.Close()
}

// snapshotsUnread asks for snapshots and holds what is begun for a moment.
func snapshotsUnread(ctx context.Context, s *stage) error {
	err := each(ctx, s.count, openBeside, func(int) error {
		c, err := s.dial(s.target.Client)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(c, "GET /v1/snapshot HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
			return err
		}
		resp, err := http.ReadResponse(bufio.NewReaderSize(c, 512), nil)
		if err != nil {
			s.answers.add(noAnswer(err))
			return nil
		}
		if resp.StatusCode == http.StatusOK {
			s.answers.add(snapshotBegun)
			return nil
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		s.answers.add(fmt.Sprintf("%d %s", resp.StatusCode, words(body)))
		return c.Close()
	})
	wait(ctx, 5*holdTime)
	return err
}
