package sim

import "fmt"

// What Options.Schedule takes: who has the next turn of a member's goroutines that are ready.
const (
	// ScheduleUniform draws one of them, evenly, each time anew.
	ScheduleUniform = "uniform"
	// SchedulePriority takes the one that ranks highest, see Priorities.
	SchedulePriority = "priority"
)

// Priorities is a schedule by priority, which ranked tells of, for the members of a run. The zero value is none: turns are
// drawn uniformly.
type Priorities struct {
	Steps  int64 `json:"steps"`  // of a round, after which all ranks are drawn anew
	Points int64 `json:"points"` // how many times in a round who runs falls below all others
}

// Limits of a schedule by priority.
const (
	maxSteps  = 1 << 20
	maxPoints = 5
	// Rounds are drawn with lengths between these powers of two.
	shortestRound = 6
	longestRound  = 18
)

// drawPriorities chooses the schedule: one run of three has priorities. Rounds are of any order of magnitude: the closer
// together turns are on which a fault depends, the more likely short rounds show it; one that takes somebody who is late for
// long needs long ones.
func drawPriorities(d draws, asked string) Priorities {
	if asked == ScheduleUniform || asked == "" && d.at(forSchedule, 0, 0)%3 != 0 {
		return Priorities{}
	}
	shortest := int64(1) << d.between(forSchedule, 1, 0, shortestRound, longestRound)
	return Priorities{
		Steps:  d.between(forSchedule, 2, 0, shortest, 2*shortest),
		Points: d.between(forSchedule, 3, 0, 1, maxPoints+1),
	}
}

// variable is the value of priorityVariable.
func (p Priorities) variable() string { return fmt.Sprintf("%d/%d", p.Points, p.Steps) }

// String is how the head of a run has it.
func (p Priorities) String() string {
	if p == (Priorities{}) {
		return ScheduleUniform
	}
	return fmt.Sprintf("%s, %d points in rounds of %d steps", SchedulePriority, p.Points, p.Steps)
}
