package main

import (
	"bytes"
	"go/build"
	"go/build/constraint"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// systems and machines are the values that appear in file names and build constraints. The list need not be
// complete: a file for another one is checked by itself.
var (
	systems  = []string{"linux", "darwin", "windows", "freebsd", "openbsd", "netbsd", "dragonfly", "solaris", "illumos", "aix", "android", "ios", "js", "wasip1", "plan9"}
	machines = []string{"amd64", "arm64", "386", "arm", "riscv64", "ppc64le", "ppc64", "s390x", "loong64", "mips64le", "mips64", "mipsle", "mips", "wasm"}
)

// targetOf is the target in which a file is checked: the user's own, or else the first that its build
// constraints let it in. A file that no target lets in (go:build ignore) stays with the user's own.
func (s *session) targetOf(file string) *target {
	host := hostContext()
	t, err := s.sources.read(file)
	if err != nil || matches(host, file, t.data) {
		return s.target(host)
	}
	tags := tagsOf(t.data)
	for _, ctx := range alternatives(host, filepath.Base(file), tags) {
		if matches(ctx, file, t.data) {
			return s.target(ctx)
		}
	}
	return s.target(host)
}

// matches evaluates file name and build constraints.
func matches(ctx build.Context, file string, data []byte) bool {
	ctx.OpenFile = func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	ok, err := ctx.MatchFile(filepath.Dir(file), filepath.Base(file))
	return ok || err != nil // a header that cannot be read yet is being typed
}

// tagsOf lists the words of a file's build constraint.
func tagsOf(data []byte) []string {
	for len(data) > 0 {
		line, rest, _ := bytes.Cut(data, []byte{'\n'})
		data = rest
		text := strings.TrimSpace(string(line))
		if strings.HasPrefix(text, "package ") {
			return nil
		}
		if !constraint.IsGoBuild(text) {
			continue
		}
		expr, err := constraint.Parse(text)
		if err != nil {
			return nil
		}
		var tags []string
		expr.Eval(func(tag string) bool {
			tags = append(tags, tag)
			return false
		})
		// Eval stops early at what decides already: once more with everything true.
		expr.Eval(func(tag string) bool {
			tags = append(tags, tag)
			return true
		})
		slices.Sort(tags)
		return slices.Compact(tags)
	}
	return nil
}

// alternatives are contexts near the user's own that may let a file in: with its tags, on its systems.
func alternatives(host build.Context, name string, tags []string) []build.Context {
	named := append(slices.Clone(tags), strings.Split(strings.TrimSuffix(strings.TrimSuffix(name, ".go"), "_test"), "_")...)
	var own, unixes []string
	for _, tag := range tags {
		if tag != "ignore" && tag != "cgo" && tag != "unix" && !slices.Contains(systems, tag) && !slices.Contains(machines, tag) && !strings.HasPrefix(tag, "go1.") {
			own = append(own, tag)
		}
	}
	for _, system := range systems {
		if slices.Contains(named, system) {
			unixes = append(unixes, system)
		}
	}
	var found []build.Context
	for _, system := range append(append([]string{host.GOOS}, unixes...), "windows", "darwin") {
		for _, machine := range append([]string{host.GOARCH}, machines...) {
			if machine != host.GOARCH && !slices.Contains(named, machine) {
				continue
			}
			for _, extra := range [][]string{nil, own} {
				ctx := host
				ctx.GOOS, ctx.GOARCH = system, machine
				ctx.CgoEnabled = host.CgoEnabled && system == host.GOOS && machine == host.GOARCH
				ctx.BuildTags = append(slices.Clone(host.BuildTags), extra...)
				found = append(found, ctx)
			}
		}
	}
	host.CgoEnabled = !host.CgoEnabled
	return append(found, host)
}
