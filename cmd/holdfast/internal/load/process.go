package load

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is the unit of CPU times in /proc, which is the same on every
// Linux.
const ticksPerSecond = 100

// usage is what processes have used.
type usage struct {
	cpu           time.Duration // of user and system, since their start
	residentBytes int64         // now
}

// readUsage adds up what processes of this machine have used. None is no error.
func readUsage(pids []int) (usage, error) {
	var sum usage
	for _, pid := range pids {
		u, err := processUsage(pid)
		if err != nil {
			return usage{}, err
		}
		sum.cpu += u.cpu
		sum.residentBytes += u.residentBytes
	}
	return sum, nil
}

func processUsage(pid int) (usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, fmt.Errorf("process %d: %w", pid, err)
	}
	return parseStat(pid, stat)
}

// parseStat reads /proc/PID/stat (proc_pid_stat(5)). The name of the program,
// the second field, may hold anything; the last ")" ends it.
func parseStat(pid int, stat []byte) (usage, error) {
	const utime, stime, rss = 14 - 3, 15 - 3, 24 - 3 // numbers of the manual, from the third field on
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) <= rss {
		return usage{}, fmt.Errorf("process %d: stat has %d fields", pid, len(fields))
	}
	var numbers [3]int64
	for i, field := range []int{utime, stime, rss} {
		n, err := strconv.ParseInt(fields[field], 10, 64)
		if err != nil {
			return usage{}, fmt.Errorf("process %d: stat: %w", pid, err)
		}
		numbers[i] = n
	}
	return usage{
		cpu:           time.Duration(numbers[0]+numbers[1]) * time.Second / ticksPerSecond,
		residentBytes: numbers[2] * int64(os.Getpagesize()),
	}, nil
}
