package sim

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero"
)

// Engine is a guest module that is ready to run, and maybe one of an earlier version beside it, with the host's functions around
// them. To get it ready costs as much as a short run; an Engine is for several runs, one after the other. What a run leaves in
// it is nothing: each process is an instance of its own.
type Engine struct {
	runtime wazero.Runtime
	module  readyModule
	before  readyModule // of an earlier version; its zero value: there is none
	cache   wazero.CompilationCache
	world   *world // of the present run, whose processes make the host calls
	lost    bool   // a process of a run did not give the baton back
}

// readyModule is a module that is compiled, without its data, and the memory of its processes, with that.
type readyModule struct {
	hash     string // of the module
	compiled wazero.CompiledModule
	memory   memories
}

func (r *readyModule) ready(ctx context.Context, runtime wazero.Runtime, module []byte) (err error) {
	r.hash = ModuleHash(module)
	code, image := splitImage(module)
	r.memory.image = image
	r.compiled, err = runtime.CompileModule(ctx, code)
	return err
}

// NewEngine compiles the modules of the options, Module and, if there is one, Before, or takes them from CacheDir.
func NewEngine(ctx context.Context, o *Options) (*Engine, error) {
	e := &Engine{}
	if o.CacheDir != "" {
		cache, err := wazero.NewCompilationCacheWithDir(o.CacheDir)
		if err != nil {
			return nil, fmt.Errorf("compilation cache: %s: %w; name another directory", o.CacheDir, err)
		}
		e.cache = cache
	}
	e.runtime = wazero.NewRuntimeWithConfig(ctx, runtimeConfig(e.cache))
	if err := e.module.ready(ctx, e.runtime, o.Module); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: compile: %w; build it with make guest", ErrModule, err), e.Close(ctx))
	}
	if len(o.Before) > 0 {
		if err := e.before.ready(ctx, e.runtime, o.Before); err != nil {
			return nil, errors.Join(fmt.Errorf("%w: compile the earlier version: %w; build it with make sim-mixed", ErrModule, err), e.Close(ctx))
		}
	}
	if err := errors.Join(e.exportWASI(ctx), e.exportHostCalls(ctx)); err != nil {
		return nil, errors.Join(fmt.Errorf("host functions: %w", err), e.Close(ctx))
	}
	return e, nil
}

// Runs tells whether the engine has the modules that a run is asked for with.
func (e *Engine) Runs(o *Options) bool {
	return e.module.hash == ModuleHash(o.Module) && (len(o.Before) == 0 || e.before.hash == ModuleHash(o.Before))
}

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
