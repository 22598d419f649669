package main

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// importSpec is an import declaration to be added; Name is "" where none is needed.
type importSpec struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

// option is a package that a name may mean.
type option struct {
	spec importSpec
	meta *meta
	tier tier
}

// tier orders packages by how near they are to the file. What a nearer one offers, a farther one does not.
type tier int

const (
	sibling  tier = iota // other files of the package import it under this name
	direct               // standard library, workspace, modules that a go.mod requires by itself
	indirect             // modules that are required by those
)

const (
	// maxOptions is how many packages of one name are tried.
	maxOptions = 6
	// maxClauses bounds the package clauses that are read in search of one name.
	maxClauses = 60
)

// packagesNamed finds the packages called name that export all members and that a file of importer may import,
// the likeliest first.
func (u *universe) packagesNamed(ms *modules, importer *meta, name string, members []string) []option {
	if name == "unsafe" {
		m := &meta{ImportPath: "unsafe", Name: "unsafe", Standard: true}
		if !u.exports(m, members) {
			return nil
		}
		return []option{{importSpec{Path: "unsafe"}, m, direct}}
	}
	paths, found, _ := u.pathsNamed(ms, importer, name)
	slices.SortFunc(paths, func(a, b string) int {
		return cmp.Or(cmp.Compare(found[a], found[b]), cmp.Compare(distance(a, name), distance(b, name)),
			cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	var options []option
	for _, path := range paths {
		if len(options) == maxOptions || len(options) > 0 && options[0].tier < found[path] {
			break
		}
		m := u.usable(ms, importer, path, name)
		if m == nil || !u.exports(m, members) {
			continue
		}
		spec := importSpec{Path: path}
		if assumedName(path) != name {
			spec.Name = name
		}
		options = append(options, option{spec, m, found[path]})
	}
	return options
}

// pathsNamed are the import paths of packages that may be called name and that a file of importer may import, and how
// near each is; whole is false when not all could be looked at.
func (u *universe) pathsNamed(ms *modules, importer *meta, name string) (paths []string, found map[string]tier, whole bool) {
	found = map[string]tier{}
	u.mu.Lock()
	for path, m := range u.metas {
		if m.Name == name && (m.Standard || ms.requires(m.Module)) {
			found[path] = ms.tierOf(path, m)
		}
	}
	u.mu.Unlock()
	whole = u.addByPath(ms, name, found)
	for path := range found {
		if mayImport(importer.ImportPath, path) {
			paths = append(paths, path)
		}
	}
	return paths, found, whole
}

// usable is the package at path if it is called name and may be imported by importer, else nil.
func (u *universe) usable(ms *modules, importer *meta, path, name string) *meta {
	m := u.sketch(ms, path)
	if m == nil || m.Error != nil || m.Name != name || len(u.filesOf(m)) == 0 || u.circular(importer, m) {
		return nil
	}
	return m
}

// exportedBy adds what packages called name export, all that a file of importer may import, to names; false where
// there may be more.
func (u *universe) exportedBy(ms *modules, importer *meta, name string, names map[string]bool) bool {
	paths, _, whole := u.pathsNamed(ms, importer, name)
	if !whole || len(paths) > maxOptions {
		return false
	}
	for _, path := range paths {
		if m := u.usable(ms, importer, path, name); m != nil {
			for member := range u.exported(m) {
				names[member] = true
			}
		}
	}
	return true
}

// addByPath adds packages that go list was not asked about and whose path ends in something like name; false
// when those are too many to look at them all.
func (u *universe) addByPath(ms *modules, name string, found map[string]tier) bool {
	type place struct {
		path string
		tree *tree
	}
	var places []place
	for _, t := range slices.Concat([]*tree{ms.std}, ms.mains, ms.required) {
		for _, rel := range t.packages() {
			path := t.importPath(rel)
			if _, known := found[path]; !known && mayBeCalled(path, name) && u.resolve(nil, path) == nil {
				places = append(places, place{path, t})
			}
		}
	}
	slices.SortStableFunc(places, func(a, b place) int { return distance(a.path, name) - distance(b.path, name) })
	for _, p := range places[:min(len(places), maxClauses)] {
		if dir, t := ms.locate(p.path); t == p.tree && u.clauseOf(dir) == name {
			found[p.path] = t.tier()
		}
	}
	return len(places) <= maxClauses
}

func (t *tree) tier() tier {
	if t.kind == fixed && !t.direct {
		return indirect
	}
	return direct
}

func (ms *modules) tierOf(path string, m *meta) tier {
	if m.Standard || m.Module.Main {
		return direct
	}
	for _, t := range ms.required {
		if t.path == m.Module.Path {
			return t.tier()
		}
	}
	return indirect
}

// distance is how far a path's spelling is from the name of its package.
func distance(importPath, name string) int {
	switch {
	case path.Base(importPath) == name:
		return 0
	case assumedName(importPath) == name:
		return 1
	}
	return 2
}

// mayImport reports whether the language lets a package import the other: not itself, no program, and what is
// internal only from below the parent of "internal".
func mayImport(importer, path string) bool {
	importer = strings.TrimSuffix(importer, "_test")
	if strings.HasPrefix(path, "vendor/") || strings.Contains(path, "/vendor/") || strings.HasPrefix(path, "cmd/") {
		return false
	}
	at := strings.LastIndex("/"+path+"/", "/internal/")
	if at < 0 {
		return true
	}
	parent := strings.TrimSuffix(path[:at], "/")
	return parent != "" && (importer == parent || strings.HasPrefix(importer, parent+"/"))
}

// assumedName is what goimports takes a package to be called by its path alone; an import of a package that is
// called otherwise gets its name spelled out.
func assumedName(importPath string) string {
	base := path.Base(importPath)
	if versionSuffix.MatchString(base) && path.Dir(importPath) != "." {
		base = path.Base(path.Dir(importPath))
	}
	base = strings.TrimPrefix(base, "go-")
	if i := strings.IndexFunc(base, func(r rune) bool { return !isWordRune(r) }); i >= 0 {
		base = base[:i]
	}
	return base
}

func isWordRune(r rune) bool { return r >= 0x80 || isWordByte(byte(r)) }

// circular reports whether importing m from importer would close a circle. An external test may import what
// imports the package under test.
func (u *universe) circular(importer, m *meta) bool {
	if m.Standard || strings.HasSuffix(importer.ImportPath, "_test") {
		return false
	}
	r := &rebuilt{universe: u, base: importer}
	return r.touches(m, map[string]bool{})
}

// importers counts the packages of a module that import path, without the package at except.
func (u *universe) importers(in *module, except, path string) int {
	if in == nil {
		return 0
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	count := 0
	for _, m := range u.metas {
		if m.Module != nil && m.Module.Path == in.Path && m.ImportPath != except && slices.Contains(m.Imports, path) {
			count++
		}
	}
	return count
}
