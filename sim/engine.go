package sim

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero"
)

// Engine is a guest module that is ready to run, with the host's functions around it. To get it ready costs as much as a
// short run; an Engine is for several runs, one after the other. What a run leaves in it is nothing: each process is an
// instance of its own.
type Engine struct {
	hash    string // of the module
	runtime wazero.Runtime
	module  wazero.CompiledModule
	cache   wazero.CompilationCache
	memory  memories
	world   *world // of the present run, whose processes make the host calls
	lost    bool   // a process of a run did not give the baton back
}

// NewEngine compiles a module, or takes it from the directory of compiled ones; that may be empty.
func NewEngine(ctx context.Context, module []byte, cacheDir string) (*Engine, error) {
	e := &Engine{hash: ModuleHash(module)}
	if cacheDir != "" {
		cache, err := wazero.NewCompilationCacheWithDir(cacheDir)
		if err != nil {
			return nil, fmt.Errorf("compilation cache: %s: %w; name another directory", cacheDir, err)
		}
		e.cache = cache
	}
	e.runtime = wazero.NewRuntimeWithConfig(ctx, runtimeConfig(e.cache))
	var err error
	if e.module, err = e.runtime.CompileModule(ctx, module); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: compile: %w; build it with make guest", ErrModule, err), e.Close(ctx))
	}
	if err := errors.Join(e.exportWASI(ctx), e.exportHostCalls(ctx)); err != nil {
		return nil, errors.Join(fmt.Errorf("host functions: %w", err), e.Close(ctx))
	}
	return e, nil
}

// Hash is the module's, as [ModuleHash] gives it.
func (e *Engine) Hash() string { return e.hash }

// Lost tells that a run was given up while one of its processes computed without a host call, which nothing can interrupt:
// it still does. No further run is possible, and the process of the host had better end.
func (e *Engine) Lost() bool { return e.lost }

// Close frees what the engine holds, after the last run.
func (e *Engine) Close(ctx context.Context) error {
	if e.lost {
		return nil // somebody still runs the code that closing would free
	}
	ctx = context.WithoutCancel(ctx)
	err := e.runtime.Close(ctx)
	if e.cache != nil {
		err = errors.Join(err, e.cache.Close(ctx))
	}
	return err
}
