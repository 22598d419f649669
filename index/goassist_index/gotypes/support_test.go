package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// project is a folder of files made for one test, and a session in it.
type project struct {
	t       *testing.T
	root    string
	session *session
}

// newProject writes files, given as a txtar-like text: "-- name --" lines begin a file.
func newProject(t *testing.T, archive string) *project {
	t.Helper()
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOWORK", "")
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := &project{t: t, root: root, session: newSession(root)}
	for name, text := range unpack(archive) {
		p.write(name, text)
	}
	return p
}

func unpack(archive string) map[string]string {
	files := map[string]string{}
	name := ""
	for _, line := range strings.SplitAfter(archive, "\n") {
		if inner, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(line, " --\n") {
			name = strings.TrimSuffix(inner, " --\n")
			files[name] = ""
		} else if name != "" {
			files[name] += line
		}
	}
	return files
}

func (p *project) path(name string) string { return filepath.Join(p.root, filepath.FromSlash(name)) }

func (p *project) write(name, text string) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(p.path(name)), 0o777); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(p.path(name), []byte(text), 0o666); err != nil {
		p.t.Fatal(err)
	}
}

// overlay makes text the unsaved buffer of a file.
func (p *project) overlay(name, text string) {
	if p.session.sources.setOverlay(p.path(name), []byte(text)) {
		p.session.changed(p.path(name))
	}
}

// check puts the buffer of name to text, whose hole is marked «replaced text» or «», and checks one insert.
func (p *project) check(name, text, insert string) verdict {
	p.t.Helper()
	return p.ask(name, text, question{inserts: []string{insert}})
}

// resolve checks as check does, and has missing imports looked for.
func (p *project) resolve(name, text, insert string) verdict {
	p.t.Helper()
	return p.ask(name, text, question{inserts: []string{insert}, importBudget: time.Minute})
}

// surveyed waits until all packages of the module are described.
func (p *project) surveyed() {
	p.t.Helper()
	t := p.session.target(hostContext())
	<-p.session.open(t, p.root).ready
	found, err := goListAside(p.root, t.universe.env, "./...")
	if err != nil {
		p.t.Fatal(err)
	}
	for _, m := range found {
		t.universe.add(m)
	}
}

func (p *project) ask(name, text string, q question) verdict {
	p.t.Helper()
	from, to := strings.Index(text, "«"), strings.Index(text, "»")
	if from < 0 || to < from {
		p.t.Fatalf("no hole «» in %q", text)
	}
	text = strings.Replace(strings.Replace(text, "«", "", 1), "»", "", 1)
	to -= len("«")
	p.overlay(name, text)
	q.from, q.to = from, to
	verdicts, err := p.session.check(p.path(name), q, time.Minute)
	if err != nil {
		p.t.Fatal(err)
	}
	return verdicts[0]
}

// wantStatus fails the test with all that was said when the status is another.
func wantStatus(t *testing.T, v verdict, status string) {
	t.Helper()
	if v.Status != status {
		said, _ := json.MarshalIndent(v, "", "  ")
		t.Fatalf("status %s, want %s:\n%s", v.Status, status, said)
	}
}

func wantError(t *testing.T, v verdict, message string) {
	t.Helper()
	wantStatus(t, v, "error")
	for _, e := range v.Errors {
		if strings.Contains(e.Message, message) {
			return
		}
	}
	t.Fatalf("no error about %q in %+v", message, v.Errors)
}

func wantUnfinished(t *testing.T, v verdict, kind string, final bool) {
	t.Helper()
	for _, u := range v.Unfinished {
		if u.Kind == kind {
			if u.Final != final {
				t.Fatalf("%s has final %v, want %v: %+v", kind, u.Final, final, v.Unfinished)
			}
			return
		}
	}
	t.Fatalf("nothing unfinished of kind %s in %+v", kind, v.Unfinished)
}
