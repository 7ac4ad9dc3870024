package sim

import (
	"net"
	"strconv"
)

// dial makes both ends of a connection and sends the first segment; the far end takes a place in its process's table when
// that arrives. It returns the near end, or an errno.
func (n *network) dial(p *process, addr string) (*socket, int32) {
	ip, port, ok := splitAddr(addr)
	if !ok || port == 0 {
		return nil, errInvalid
	}
	far := n.w.machineAt(ip, p.m)
	if far == nil {
		return nil, errAddrNotAvail
	}
	near := &socket{state: connecting, window: receiveWindow, port: p.sockets.ephemeral(), remotePort: port}
	if !p.sockets.add(p, near) {
		return nil, errTooManyFiles
	}
	near.accepted = true
	end := &socket{m: far, state: connecting, port: port, remotePort: near.port, peer: near}
	near.peer = end
	n.track(near, end)
	n.transmit(end, segment{kind: segSyn}, p.local)
	return near, 0
}

// listen opens a listener; port 0 draws one.
func (n *network) listen(p *process, addr string) (*socket, int32) {
	ip, port, ok := splitAddr(addr)
	if !ok {
		return nil, errInvalid
	}
	if !anyAddr(ip) && n.w.machineAt(ip, p.m) != p.m {
		return nil, errAddrNotAvail
	}
	if port == 0 {
		port = p.sockets.ephemeral()
	}
	if p.sockets.listener(port) != nil {
		return nil, errAddrInUse
	}
	l := &socket{state: listening, port: port}
	if !p.sockets.add(p, l) {
		return nil, errTooManyFiles
	}
	p.sockets.listeners = append(p.sockets.listeners, l)
	return l, 0
}

// name is an end's own address, or its peer's.
func (s *socket) name(remote bool) string {
	if !remote {
		return net.JoinHostPort(s.m.ip, strconv.Itoa(s.port))
	}
	if s.peer == nil {
		return ""
	}
	return net.JoinHostPort(s.peer.m.ip, strconv.Itoa(s.remotePort))
}

func splitAddr(addr string) (ip string, port int, ok bool) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, false
	}
	port, err = strconv.Atoi(text)
	return host, port, err == nil && port >= 0 && port <= 65535
}

func anyAddr(ip string) bool { return ip == "" || ip == "0.0.0.0" || ip == "::" }

// machineAt finds the machine that an address means to one of them.
func (w *world) machineAt(ip string, self *machine) *machine {
	if ip == "127.0.0.1" || ip == "::1" || ip == "localhost" || anyAddr(ip) {
		return self
	}
	for _, m := range w.machines {
		if m.ip == ip {
			return m
		}
	}
	return nil
}
