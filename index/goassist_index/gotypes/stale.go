package main

import (
	"path/filepath"
	"time"
)

// changed forgets the loaded package that file belongs to when its declarations changed. Typing inside a
// function leaves it, and all that import it, as they are.
func (u *universe) changed(file string) {
	m := u.metaOfDir(filepath.Dir(file))
	if m == nil {
		return
	}
	u.mu.Lock()
	l := u.loaded[m.ImportPath]
	u.mu.Unlock()
	if l == nil {
		return
	}
	select {
	case <-l.done:
	default: // still loading: the new text may or may not have been read
		u.drop(m)
		return
	}
	was, known := l.outlines[file]
	t, err := u.sources.read(file)
	if known && err == nil && outlineDigest(t.data) == was {
		return
	}
	if !known && filepath.Ext(file) != ".go" || isTestFile(file) {
		return
	}
	u.drop(m)
}

// staleInterval bounds how often the files of loaded workspace packages are compared with the disk.
const staleInterval = 2 * time.Second

// recheck forgets loaded workspace packages whose files changed on disk.
func (u *universe) recheck() {
	u.mu.Lock()
	if time.Since(u.rechecked) < staleInterval {
		u.mu.Unlock()
		return
	}
	u.rechecked = time.Now()
	type entry struct {
		m *meta
		l *loading
	}
	var entries []entry
	for path, l := range u.loaded {
		if m := u.metas[path]; m != nil && m.workspace() {
			entries = append(entries, entry{m, l})
		}
	}
	u.mu.Unlock()
	for _, e := range entries {
		select {
		case <-e.l.done:
		default:
			continue
		}
		for file, was := range e.l.stamps {
			now, err := u.sources.stamp(file)
			if err == nil && now == was {
				continue
			}
			if err == nil && now.overlay {
				continue // changed has looked at it
			}
			t, err := u.sources.read(file)
			if err == nil && outlineDigest(t.data) == e.l.outlines[file] {
				continue
			}
			u.drop(e.m)
			break
		}
	}
}

func isTestFile(file string) bool {
	matched, _ := filepath.Match("*_test.go", filepath.Base(file))
	return matched
}
