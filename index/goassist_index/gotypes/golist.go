package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// goListLimit bounds one run of `go list`; a large workspace on a cold disk takes some seconds.
const goListLimit = 120 * time.Second

// meta is what `go list` says about one package.
type meta struct {
	ImportPath   string
	Name         string
	Dir          string
	Standard     bool
	ForTest      string
	GoFiles      []string
	CgoFiles     []string
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string
	ImportMap    map[string]string
	Module       *module
	Error        *listError

	sketched bool // by sketch, not by go list
}

type module struct {
	Path      string
	Main      bool
	GoVersion string
}

type listError struct{ Err string }

// workspace reports whether the user may edit this package's files.
func (m *meta) workspace() bool { return !m.Standard && (m.Module == nil || m.Module.Main) }

// goVersion is the language version to check with, in go/types' form ("" is the toolchain's own).
func (m *meta) goVersion() string {
	switch {
	case m.Standard || m.Module == nil:
		return ""
	case m.Module.GoVersion == "":
		return "go1.16" // cmd/go's assumption for a go.mod without a go line
	}
	return "go" + m.Module.GoVersion
}

const listFields = "-json=ImportPath,Name,Dir,Standard,ForTest,GoFiles,CgoFiles,TestGoFiles,XTestGoFiles," +
	"Imports,ImportMap,Module,Error"

// goEnv is the environment for `go list`: no downloads, no toolchain switch, the user's -tags kept.
func goEnv(extra ...string) []string {
	env := append(os.Environ(), "GOPROXY=off", "GOSUMDB=off", "GOTOOLCHAIN=local", "GOFLAGS="+keptFlags())
	return append(env, extra...)
}

// keptFlags drops from GOFLAGS what would change files or run programs: -mod=mod, -toolexec and the like.
func keptFlags() string {
	var kept []string
	for _, flag := range strings.Fields(os.Getenv("GOFLAGS")) {
		name := "-" + strings.TrimLeft(flag, "-")
		for _, prefix := range []string{"-tags", "-mod=vendor", "-mod=readonly", "-modfile", "-modcacherw", "-overlay"} {
			if strings.HasPrefix(name, prefix) {
				kept = append(kept, flag)
				break
			}
		}
	}
	return strings.Join(kept, " ")
}

// goList describes the packages that patterns name from dir, and all they depend on. It tries what a user
// would when the module setup is broken: without go.work, then without the vendor directory.
func goList(dir string, env []string, patterns ...string) ([]*meta, error) {
	return retriedGoList([]string{"go"}, dir, env, patterns)
}

// goListAside is goList for what nobody waits for: it takes what others leave of the processor, where the system
// has a nice command.
func goListAside(dir string, env []string, patterns ...string) ([]*meta, error) {
	command := []string{"go"}
	if nicer, err := exec.LookPath("nice"); err == nil {
		command = []string{nicer, "-n", "19", "go"}
	}
	return retriedGoList(command, dir, env, patterns)
}

func retriedGoList(command []string, dir string, env, patterns []string) ([]*meta, error) {
	found, err := runGoList(command, dir, env, patterns)
	if err == nil {
		return found, nil
	}
	first := err
	for _, retry := range [][]string{{"GOWORK=off"}, {"GOWORK=off", "GOFLAGS=" + keptFlags() + " -mod=readonly"}} {
		found, err := runGoList(command, dir, append(env[:len(env):len(env)], retry...), patterns)
		if err == nil {
			return found, nil
		}
	}
	return nil, first
}

func runGoList(command []string, dir string, env, patterns []string) ([]*meta, error) {
	ctx, cancel := context.WithTimeout(context.Background(), goListLimit)
	defer cancel()
	command = append(slices.Clip(command), "list", "-e", "-deps", "-test", listFields, "--")
	cmd := exec.CommandContext(ctx, command[0], append(command[1:], patterns...)...)
	cmd.Dir = dir
	cmd.Env = append(env, "PWD="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	// Read as it comes: of a large module it is megabytes.
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("go list in %s: %w", dir, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("go list in %s: %w", dir, err)
	}
	found, unreadable := readList(stdout)
	if unreadable != nil {
		cancel() // nobody reads on
	}
	if err := cmd.Wait(); err != nil && unreadable == nil {
		message := strings.TrimSpace(stderr.String())
		if i := strings.IndexByte(message, '\n'); i > 0 {
			message = message[:i]
		}
		return nil, fmt.Errorf("go list in %s: %w: %s", dir, err, message)
	}
	if unreadable != nil {
		return nil, fmt.Errorf("go list in %s: %w", dir, unreadable)
	}
	return found, nil
}

// readList decodes what `go list -json` writes, one package after the other.
func readList(in io.Reader) ([]*meta, error) {
	var found []*meta
	words := map[string]string{}
	decoder := json.NewDecoder(in)
	for {
		m := new(meta)
		if err := decoder.Decode(m); errors.Is(err, io.EOF) {
			return found, nil
		} else if err != nil {
			return nil, err
		}
		// Test variants and test mains: we make our own, from the buffers.
		if m.ForTest == "" && !strings.HasSuffix(m.ImportPath, ".test") {
			found = append(found, m.sharing(words))
		}
	}
}

// sharing has equal strings of several packages held once: most of what a list says is paths of imports.
func (m *meta) sharing(words map[string]string) *meta {
	shared := func(word string) string {
		if known, ok := words[word]; ok {
			return known
		}
		words[word] = word
		return word
	}
	m.ImportPath = shared(m.ImportPath)
	for i, path := range m.Imports {
		m.Imports[i] = shared(path)
	}
	if m.Module != nil {
		m.Module.Path, m.Module.GoVersion = shared(m.Module.Path), shared(m.Module.GoVersion)
	}
	return m
}

// moduleFiles are the files that decide what `go list` says in dir: go.mod, go.sum and go.work upwards.
func moduleFiles(dir string) []string {
	var files []string
	for {
		for _, name := range []string{"go.mod", "go.sum", "go.work", filepath.Join("vendor", "modules.txt")} {
			files = append(files, filepath.Join(dir, name))
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return files
		}
		dir = parent
	}
}

// stampOf sums up size and time of files, so that a change of any of them shows.
func stampOf(files []string) string {
	var b strings.Builder
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			fmt.Fprintf(&b, "%s %d %d\n", file, info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}
