package process

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Ports come from below the range from which systems take the local ports of
// outgoing connections. A port of that range could be taken by a client while
// its member is down, and the member could not come back.
const (
	firstPort = 20000
	lastPort  = 32000
)

var ports struct {
	sync.Mutex
	given map[int]bool
}

// FreeURL returns a loopback URL whose port is free and was not given before, by
// this program or another that runs. An error says that too many ports are taken.
func FreeURL() (string, error) {
	ports.Lock()
	defer ports.Unlock()
	if ports.given == nil {
		ports.given = map[int]bool{}
	}
	for range 1000 {
		p := firstPort + rand.IntN(lastPort-firstPort)
		if ports.given[p] {
			continue
		}
		addr := fmt.Sprintf("127.0.0.1:%d", p)
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return "", fmt.Errorf("probe port %d: %w", p, err)
		}
		ours, err := reserve(p)
		if err != nil {
			return "", fmt.Errorf("reserve port %d: %w", p, err)
		}
		ports.given[p] = true // one way or another
		if !ours {
			continue
		}
		return "http://" + addr, nil
	}
	return "", fmt.Errorf("find a free port: 127.0.0.1:%d to %d: all taken; end some daemons", firstPort, lastPort)
}
