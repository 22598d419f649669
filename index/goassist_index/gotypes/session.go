package main

import (
	"fmt"
	"go/build"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// session is the state of one workspace: its buffers, and for each target what was loaded.
type session struct {
	root    string
	sources *sources
	notify  func(method string, params any)

	mu      sync.Mutex
	targets map[string]*target
	stamps  map[string]moduleStamp // by directory: what go list's answer rests on
	checks  int
}

type moduleStamp struct {
	files  string
	looked time.Time
}

// target is one combination of GOOS, GOARCH and build tags.
type target struct {
	universe *universe

	mu          sync.Mutex
	directories map[string]*opened
}

// opened is a directory being made ready; ready closes when it is.
type opened struct {
	ready chan struct{}
	dir   *directory
	mu    sync.Mutex // one check at a time
	err   error
	used  time.Time
}

// maxOpened is how many directories keep their trees and declarations in memory.
const maxOpened = 48

// evict closes the directory that was used longest ago when there are too many.
func (t *target) evict() {
	if len(t.directories) <= maxOpened {
		return
	}
	oldest := ""
	for dir, o := range t.directories {
		if oldest == "" || o.used.Before(t.directories[oldest].used) {
			oldest = dir
		}
	}
	delete(t.directories, oldest)
}

func newSession(root string) *session {
	return &session{
		root:    root,
		sources: newSources(),
		notify:  func(string, any) {},
		targets: map[string]*target{},
		stamps:  map[string]moduleStamp{},
	}
}

// hostContext is the build context of the user's own environment.
func hostContext() build.Context {
	ctx := build.Default
	for _, flag := range strings.Fields(os.Getenv("GOFLAGS")) {
		if tags, ok := strings.CutPrefix("-"+strings.TrimLeft(flag, "-"), "-tags="); ok {
			ctx.BuildTags = strings.FieldsFunc(tags, func(r rune) bool { return r == ',' || r == ' ' })
		}
	}
	return ctx
}

// target returns the state for a build context, made when first asked for.
func (s *session) target(ctx build.Context) *target {
	key := fmt.Sprintf("%s/%s/%v/%s", ctx.GOOS, ctx.GOARCH, ctx.CgoEnabled, strings.Join(ctx.BuildTags, ","))
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.targets[key]
	if t == nil {
		env := goEnv()
		if ctx.GOOS != runtime.GOOS || ctx.GOARCH != runtime.GOARCH {
			env = append(env, "GOOS="+ctx.GOOS, "GOARCH="+ctx.GOARCH)
		}
		if ctx.CgoEnabled != build.Default.CgoEnabled {
			env = append(env, "CGO_ENABLED="+map[bool]string{true: "1", false: "0"}[ctx.CgoEnabled])
		}
		if len(ctx.BuildTags) > 0 {
			env = append(env, "GOFLAGS="+strings.TrimSpace(keptFlags()+" -tags="+strings.Join(ctx.BuildTags, ",")))
		}
		t = &target{universe: newUniverse(s.sources, env, ctx), directories: map[string]*opened{}}
		s.targets[key] = t
	}
	return t
}

// open begins to make the directory of a file ready and returns at once.
func (s *session) open(t *target, dir string) *opened {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o := t.directories[dir]; o != nil {
		o.used = time.Now()
		return o
	}
	o := &opened{ready: make(chan struct{}), used: time.Now()}
	t.directories[dir] = o
	t.evict()
	go func() {
		defer close(o.ready)
		defer func() {
			if p := recover(); p != nil {
				o.err = panicError(p)
			}
		}()
		start := time.Now()
		beginLoad()
		defer endLoad()
		s.prepare(t, dir, o)
		t.universe.survey(dir)
		log.Printf("%s ready after %v", dir, time.Since(start).Round(time.Millisecond))
		s.notify("ready", map[string]any{"dir": dir, "ms": milliseconds(start)})
	}()
	return o
}

// prepare describes and loads a directory's package, as far as that goes.
func (s *session) prepare(t *target, dir string, o *opened) {
	o.dir = newDirectory(dir, t.universe)
	if m := t.universe.metaOfDir(dir); m == nil || m.sketched {
		if err := t.universe.describe(dir, "."); err != nil {
			log.Printf("%v", err)
		}
	}
	if m := t.universe.metaOfDir(dir); m == nil {
		t.universe.add(guessMeta(dir))
	} else if m.Module == nil && !m.Standard { // a folder without Go files on disk yet
		completed := *m
		guess := guessMeta(dir)
		completed.Module = guess.Module
		if completed.ImportPath == "." {
			completed.ImportPath = guess.ImportPath
		}
		t.universe.add(&completed)
	}
	if err := o.dir.refresh(); err != nil {
		o.err = err
		return
	}
	// Any file will do: its package is loaded, and with it what the others mostly need.
	for _, f := range o.dir.sorted(func(f *sourceFile) bool { return f.matches && !f.isTest() }) {
		o.mu.Lock()
		o.dir.focusOn(f)
		o.mu.Unlock()
		break
	}
}

// guessMeta describes a directory that go list cannot: the import path from go.mod's module line.
func guessMeta(dir string) *meta {
	m := &meta{ImportPath: "command-line-arguments", Dir: dir}
	for at := dir; ; at = filepath.Dir(at) {
		if data, err := os.ReadFile(filepath.Join(at, "go.mod")); err == nil {
			for _, line := range strings.Split(string(data), "\n") {
				if path, ok := strings.CutPrefix(strings.TrimSpace(line), "module "); ok {
					path = strings.Trim(strings.TrimSpace(path), `"`)
					rel, _ := filepath.Rel(at, dir)
					m.ImportPath = filepath.ToSlash(filepath.Join(path, rel))
					m.Module = &module{Path: path, Main: true, GoVersion: goLine(string(data))}
				}
			}
			return m
		}
		if filepath.Dir(at) == at {
			return m
		}
	}
}

// goLine reads the go directive of a go.mod.
func goLine(mod string) string {
	for _, line := range strings.Split(mod, "\n") {
		if fields := strings.Fields(line); len(fields) == 2 && fields[0] == "go" {
			return fields[1]
		}
	}
	return ""
}

// lookInterval bounds how often the module files are looked at.
const lookInterval = time.Second

// freshen forgets everything when the files that decide about imports changed: go.mod, go.sum, go.work, vendor.
func (s *session) freshen(dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, known := s.stamps[dir]
	if known && time.Since(old.looked) < lookInterval {
		return
	}
	now := moduleStamp{files: stampOf(moduleFiles(dir)), looked: time.Now()}
	s.stamps[dir] = now
	if known && old.files != now.files {
		log.Printf("module files of %s changed", dir)
		s.targets = map[string]*target{}
		s.stamps = map[string]moduleStamp{dir: now}
	}
}

// changed tells the loaded packages that a buffer or file of dir changed.
func (s *session) changed(file string) {
	s.mu.Lock()
	targets := make([]*target, 0, len(s.targets))
	for _, t := range s.targets {
		targets = append(targets, t)
	}
	s.mu.Unlock()
	for _, t := range targets {
		t.universe.changed(file)
	}
}

func milliseconds(since time.Time) float64 {
	return float64(time.Since(since).Microseconds()) / 1000
}
