package client

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Args is the configuration as a process's arguments; ParseArgs reads them back.
func (cfg Config) Args() []string {
	return []string{
		strings.Join(cfg.Endpoints, ","), strconv.FormatUint(cfg.Seed, 10), strconv.Itoa(cfg.Clients), strconv.Itoa(cfg.Keys),
		strconv.FormatInt(int64(cfg.Pause), 10), strconv.FormatInt(cfg.Epoch.UnixNano(), 10),
		strconv.FormatInt(cfg.End.UnixNano(), 10),
	}
}

// ParseArgs is the inverse of Args.
func ParseArgs(args []string) (Config, error) {
	const want = 7
	if len(args) != want {
		return Config{}, fmt.Errorf("client arguments: %d; expect %d", len(args), want)
	}
	numbers := make([]int64, 0, want-2)
	for _, a := range args[2:] {
		n, err := strconv.ParseInt(a, 10, 64)
		if err != nil {
			return Config{}, fmt.Errorf("client arguments: %q: %w; expect a number", a, err)
		}
		numbers = append(numbers, n)
	}
	seed, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return Config{}, fmt.Errorf("client arguments: seed %q: %w; expect a number", args[1], err)
	}
	return Config{
		Endpoints: strings.Split(args[0], ","), Seed: seed, Clients: int(numbers[0]), Keys: int(numbers[1]),
		Pause: time.Duration(numbers[2]), Epoch: time.Unix(0, numbers[3]), End: time.Unix(0, numbers[4]),
	}, nil
}
