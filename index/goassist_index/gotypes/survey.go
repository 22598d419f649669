package main

import (
	"log"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// survey describes all packages of the module that dir belongs to, in the background and once: a directory
// that is opened later then needs no go list of its own. It also lists the directories of what may be imported,
// where the first missing import is then looked up. Nothing is loaded.
func (u *universe) survey(dir string) {
	root := moduleRoot(dir)
	if root == "" {
		return
	}
	u.mu.Lock()
	if u.surveyed[root] {
		u.mu.Unlock()
		return
	}
	u.surveyed[root] = true
	u.mu.Unlock()
	go func() {
		defer giveBack()
		defer u.listImportable(dir)
		start := time.Now()
		found, err := goListAside(root, u.env, "./...")
		if err != nil {
			log.Printf("%v", err)
			return
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		for _, m := range found {
			if old := u.metas[m.ImportPath]; (old == nil || old.sketched) && (m.Error == nil || m.Dir != "") {
				u.metas[m.ImportPath] = m
			}
			if old := u.byDir[m.Dir]; (old == nil || old.sketched) && m.Dir != "" {
				u.byDir[m.Dir] = m
			}
		}
		log.Printf("%d packages below %s surveyed in %v", len(found), root, time.Since(start).Round(time.Millisecond))
	}()
}

// listImportable walks the trees in which importable packages are, so that they are known when one is missed.
func (u *universe) listImportable(dir string) {
	ms, err := u.modulesOf(dir)
	if err != nil {
		log.Printf("%v", err)
		return
	}
	for _, t := range slices.Concat([]*tree{ms.std}, ms.mains, ms.required) {
		t.packages()
	}
}

// moduleRoot is the nearest directory upwards with a go.mod, or "".
func moduleRoot(dir string) string {
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			return ""
		}
	}
}
