package kernel

import (
	"fmt"
	"io"
)

// Survey says what a snapshot holds.
type Survey struct {
	// Applied is the log index that it covers, Index the store index then.
	Applied LogIndex
	Index   StoreIndex
	// Members, Removed (members), Dirs, Keys and Events are the records of each
	// kind; WithTTL are those of Dirs and Keys that have a time to live.
	Members, Removed, Dirs, Keys, WithTTL, Events Tally
}

// Tally counts records, and their bytes without the lengths before them.
type Tally struct{ Count, Bytes uint64 }

func (t *Tally) add(rec []byte) {
	t.Count++
	t.Bytes += uint64(len(rec))
}

// SurveySnapshot reads a snapshot to its end and says what it holds. It keeps
// none of it: its memory is that of one block and the table of members, whatever
// the size of the snapshot. Its errors are those of Restore, and it finds all
// damage that Restore finds but a node without its directory.
func SurveySnapshot(r io.Reader) (*Survey, error) {
	l := loader{s: New(), survey: new(Survey)}
	if err := l.read(r); err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	l.survey.Applied, l.survey.Index = l.s.applied, l.s.index
	return l.survey, nil
}

// add counts a record that has been checked.
func (s *Survey) add(stage int, rec []byte) {
	switch stage {
	case stageMember:
		s.Members.add(rec)
	case stageRemoved:
		s.Removed.add(rec)
	case stageEvent:
		s.Events.add(rec)
	case stageNode:
		if rec[1]&nodeDir != 0 {
			s.Dirs.add(rec)
		} else {
			s.Keys.add(rec)
		}
		if rec[1]&nodeDeadline != 0 {
			s.WithTTL.add(rec)
		}
	}
}
