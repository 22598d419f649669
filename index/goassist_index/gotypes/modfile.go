package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// modFile is what goassist reads of a go.mod or go.work. Methods of a nil modFile know nothing.
type modFile struct {
	path      string // of the file
	module    string
	goVersion string
	requires  []requirement
	replaces  []replacement
	uses      []string // directories, absolute
}

type requirement struct {
	path, version string
	direct        bool
}

// replacement is a replace directive; oldVersion is "" for all versions, version "" where path is a directory.
type replacement struct{ old, oldVersion, path, version string }

// readModFile reads a go.mod or go.work; nil when there is none. Lines that it cannot read are passed over.
func readModFile(path string) *modFile {
	if path == "" || path == "off" || path == os.DevNull {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	f := &modFile{path: path}
	block := ""
	for _, line := range strings.Split(string(data), "\n") {
		code, comment, _ := strings.Cut(line, "//")
		fields := strings.Fields(code)
		switch {
		case len(fields) == 0:
		case fields[0] == ")":
			block = ""
		case block != "":
			f.directive(block, fields, comment)
		case len(fields) == 2 && fields[1] == "(":
			block = fields[0]
		default:
			f.directive(fields[0], fields[1:], comment)
		}
	}
	return f
}

func (f *modFile) directive(verb string, fields []string, comment string) {
	for i, field := range fields {
		if plain, err := strconv.Unquote(field); err == nil {
			fields[i] = plain
		}
	}
	switch {
	case verb == "module" && len(fields) == 1:
		f.module = fields[0]
	case verb == "go" && len(fields) == 1:
		f.goVersion = fields[0]
	case verb == "use" && len(fields) == 1:
		f.uses = append(f.uses, f.absolute(fields[0]))
	case verb == "require" && len(fields) == 2:
		note := strings.TrimSpace(comment)
		indirect := note == "indirect" || strings.HasPrefix(note, "indirect;")
		f.requires = append(f.requires, requirement{fields[0], fields[1], !indirect})
	case verb == "replace":
		f.replace(fields)
	}
}

// replace reads `old [version] => new [version]`.
func (f *modFile) replace(fields []string) {
	var r replacement
	switch {
	case len(fields) > 2 && fields[1] == "=>":
		r.old, fields = fields[0], fields[2:]
	case len(fields) > 3 && fields[2] == "=>":
		r.old, r.oldVersion, fields = fields[0], fields[1], fields[3:]
	default:
		return
	}
	r.path = fields[0]
	if len(fields) > 1 {
		r.version = fields[1]
	} else {
		r.path = f.absolute(r.path)
	}
	f.replaces = append(f.replaces, r)
}

func (f *modFile) absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(filepath.Dir(f.path), filepath.FromSlash(path))
}

// replacement finds what stands for a module: a directive for its version before one for all.
func (f *modFile) replacement(path, version string) (replacement, bool) {
	if f == nil {
		return replacement{}, false
	}
	for _, wanted := range []string{version, ""} {
		for _, r := range f.replaces {
			if r.old == path && r.oldVersion == wanted {
				return r, true
			}
		}
	}
	return replacement{}, false
}

func (f *modFile) requiresDirectly(path string) bool {
	if f == nil {
		return false
	}
	for _, r := range f.requires {
		if r.path == path && r.direct {
			return true
		}
	}
	return false
}

// used reads the go.mod files of a go.work's modules. ok is false when one is missing: the go command refuses
// such a workspace, and goList does without it.
func (f *modFile) used() (files []*modFile, ok bool) {
	if f == nil {
		return nil, false
	}
	for _, dir := range f.uses {
		used := readModFile(filepath.Join(dir, "go.mod"))
		if used == nil {
			return nil, false
		}
		files = append(files, used)
	}
	return files, len(files) > 0
}
