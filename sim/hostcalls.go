package sim

import (
	"context"

	"holdfast/sim/internal/note"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	wasi "github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// maxNoteBytes bounds a note; a longer one is cut.
const maxNoteBytes = 1 << 20

// hostCall is a function of the module "sim": arguments in, one int32 out. Memory that the guest names wrongly is the
// guest's error and answers errInvalid.
type hostCall func(p *process, mem api.Memory, a []uint64) int32

func (e *Engine) exportHostCalls(ctx context.Context) error {
	b := e.runtime.NewHostModuleBuilder("sim")
	for _, f := range []struct {
		name    string
		args    int
		results int
		call    hostCall
	}{
		{"net_doorbell", 1, 0, netDoorbell},
		{"net_news", 2, 1, netNews},
		{"net_listen", 2, 1, netListen},
		{"net_accept", 1, 1, netAccept},
		{"net_dial", 2, 1, netDial},
		{"net_connected", 1, 1, netConnected},
		{"net_addr", 4, 1, netAddr},
		{"net_send", 3, 1, netSend},
		{"net_recv", 3, 1, netRecv},
		{"net_close", 1, 1, netClose},
		{"note", 3, 0, takeNote},
	} {
		call := f.call
		b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, mod api.Module, stack []uint64) {
			p := e.world.current
			p.enter()
			for i := range f.args {
				stack[i] = uint64(uint32(stack[i])) // the upper half of an i32's slot is whatever was there
			}
			rc := call(p, mod.Memory(), stack)
			if f.results > 0 {
				stack[0] = uint64(uint32(rc))
			}
		}), words(f.args), words(f.results)).Export(f.name)
	}
	_, err := b.Instantiate(ctx)
	return err
}

func words(n int) []api.ValueType {
	t := make([]api.ValueType, n)
	for i := range t {
		t[i] = api.ValueTypeI32
	}
	return t
}

func netDoorbell(p *process, _ api.Memory, a []uint64) int32 {
	p.door.fd = int32(a[0])
	p.step(opDoorbell, a[0], 0, 0, nil)
	return 0
}

// netNews tells the ids of sockets that have news, as many as there is room for.
func netNews(p *process, mem api.Memory, a []uint64) int32 {
	room, ok := mem.Read(uint32(a[0]), 4*uint32(min(a[1], maxSockets)))
	if !ok {
		return 0
	}
	n := p.door.take(room)
	p.step(opNews, uint64(n), 0, 0, room[:4*n])
	return int32(n)
}

func netListen(p *process, mem api.Memory, a []uint64) int32 {
	return p.open(opListen, mem, a, p.m.w.net.listen)
}

func netDial(p *process, mem api.Memory, a []uint64) int32 {
	return p.open(opDial, mem, a, p.m.w.net.dial)
}

// open makes a socket from an address in memory and returns its id.
func (p *process) open(op opcode, mem api.Memory, a []uint64, connect func(*process, string) (*socket, int32)) int32 {
	addr, ok := mem.Read(uint32(a[0]), uint32(a[1]))
	rc := int32(-errInvalid)
	if ok {
		s, errno := connect(p, string(addr))
		if rc = -errno; errno == 0 {
			rc = s.id
		}
	}
	p.step(op, uint64(rc), 0, 0, addr)
	return rc
}

func netAccept(p *process, _ api.Memory, a []uint64) int32 {
	rc := int32(-errBadFD)
	if l := p.sockets.get(int32(a[0])); l != nil && l.state == listening {
		rc = -errAgain
		if len(l.waiting) > 0 {
			s := l.waiting[0]
			l.waiting = l.waiting[1:]
			s.accepted = true
			rc = s.id
		}
	}
	p.step(opAccept, a[0], uint64(rc), 0, nil)
	return rc
}

func netConnected(p *process, _ api.Memory, a []uint64) int32 {
	rc := int32(-errBadFD)
	if s := p.sockets.get(int32(a[0])); s != nil {
		switch {
		case s.state == connecting:
			rc = -errAgain
		case s.state == established:
			rc = 0
		case s.errno != 0:
			rc = -s.errno
		}
	}
	p.step(opConnected, a[0], uint64(rc), 0, nil)
	return rc
}

func netAddr(p *process, mem api.Memory, a []uint64) int32 {
	rc, name := int32(-errBadFD), ""
	if s := p.sockets.get(int32(a[0])); s != nil {
		name = s.name(a[1] != 0)
		rc = int32(len(name))
		if len(name) > int(uint32(a[3])) || !mem.WriteString(uint32(a[2]), name) {
			rc = -errInvalid
		}
	}
	p.step(opAddr, a[0], a[1], uint64(rc), []byte(name))
	return rc
}

func netSend(p *process, mem api.Memory, a []uint64) int32 {
	rc, b := onStream(p, mem, a, (*socket).send)
	p.step(opSend, a[0], uint64(rc), 0, b)
	return rc
}

func netRecv(p *process, mem api.Memory, a []uint64) int32 {
	rc, b := onStream(p, mem, a, (*socket).recv)
	p.step(opRecv, a[0], uint64(rc), 0, b[:max(rc, 0)])
	return rc
}

// onStream moves bytes between the guest's memory and a socket that is no
// listener.
func onStream(p *process, mem api.Memory, a []uint64, move func(*socket, []byte, int64) int32) (int32, []byte) {
	s := p.sockets.get(int32(a[0]))
	b, ok := mem.Read(uint32(a[1]), uint32(a[2]))
	switch {
	case !ok:
		return -errInvalid, b
	case s == nil || s.state == listening:
		return -errBadFD, b
	}
	return move(s, b, p.local), b
}

func netClose(p *process, _ api.Memory, a []uint64) int32 {
	rc := int32(-errBadFD)
	if s := p.sockets.get(int32(a[0])); s != nil {
		s.close(p.local)
		rc = 0
	}
	p.step(opClose, a[0], uint64(rc), 0, nil)
	return rc
}

func takeNote(p *process, mem api.Memory, a []uint64) int32 {
	b, _ := mem.Read(uint32(a[1]), min(uint32(a[2]), maxNoteBytes))
	p.step(opNote, a[0], 0, 0, b)
	p.m.w.noted(p, note.Kind(int32(a[0])), b)
	return 0
}

// exportWASI offers the stock functions, but for the one in which a guest waits.
func (e *Engine) exportWASI(ctx context.Context) error {
	b := e.runtime.NewHostModuleBuilder(wasi.ModuleName)
	wasi.NewFunctionExporter().ExportFunctions(b)
	b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, mod api.Module, stack []uint64) {
		p := e.world.current
		p.enter()
		stack[0] = uint64(p.poll(mod.Memory(), stack))
	}), words(4), words(1)).Export("poll_oneoff")
	_, err := b.Instantiate(ctx)
	return err
}

// wasmPages bounds a process's memory: 1 GiB.
const wasmPages = 1 << 30 / 65536

func runtimeConfig(cache wazero.CompilationCache) wazero.RuntimeConfig {
	c := wazero.NewRuntimeConfigCompiler().WithMemoryLimitPages(wasmPages)
	if cache != nil {
		c = c.WithCompilationCache(cache)
	}
	return c
}
