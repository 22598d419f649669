package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// addition is an import that the file does not have, in place while a candidate is checked.
type addition struct {
	spec importSpec
	pkg  *types.Package
}

// decl is the import declaration, as if it stood at pos.
func (a addition) decl(pos token.Pos) ast.Decl {
	spec := &ast.ImportSpec{Path: &ast.BasicLit{ValuePos: pos, Kind: token.STRING, Value: strconv.Quote(a.spec.Path)}}
	if a.spec.Name != "" {
		spec.Name = &ast.Ident{NamePos: pos, Name: a.spec.Name}
	}
	return &ast.GenDecl{TokPos: pos, Tok: token.IMPORT, Specs: []ast.Spec{spec}}
}

// with adds packages to those that a file imports.
func (m importMap) with(added []addition) importMap {
	if len(added) == 0 {
		return m
	}
	more := make(importMap, len(m)+len(added))
	for path, pkg := range m {
		more[path] = pkg
	}
	for _, a := range added {
		more[a.spec.Path] = a.pkg
	}
	return more
}

// tooLate is the reason of an error that more time might have cured.
const tooLate = "not all packages of that name could be looked at in time"

// maxTrials bounds how many ways to import what one candidate misses are checked.
const maxTrials = 8

// resolver finds the imports that candidates of one request miss. What it has loaded when its time is up stays
// loaded; what is still on its way goes on in the background, for the next request.
type resolver struct {
	dir      *directory
	file     *sourceFile
	focus    *focus
	deadline time.Time
	late     bool // whether something was left out for want of time
	known    map[string][]option
}

func (d *directory) newResolver(f *sourceFile, budget time.Duration) *resolver {
	return &resolver{dir: d, file: f, focus: d.focusOn(f), deadline: time.Now().Add(budget), known: map[string][]option{}}
}

// trial is one way to import what a candidate misses, an option for each name, and what the check said of it.
type trial struct {
	options []option
	verdict verdict
}

// resolve looks for the imports with which a candidate passes. plain is the verdict without any, check gives
// the verdict with some. Where nothing passes, the answer is an error: with the imports that go furthest.
func (r *resolver) resolve(plain verdict, check func([]addition) verdict) verdict {
	r.late = false
	furthest, most := plain, firstError(plain)-1
	tried := map[string]bool{}
	for _, far := range []bool{false, true} {
		var choices [][]option
		for _, name := range plain.MissingImports {
			if options := r.options(name, plain.members[name], far); len(options) > 0 {
				choices = append(choices, options)
			}
		}
		var passed []trial
		for _, t := range r.trials(choices, tried, check) {
			if t.verdict.Status == "ok" {
				passed = append(passed, t)
			} else if reached := firstError(t.verdict); reached > most {
				furthest, most = t.verdict, reached
			}
		}
		switch chosen := r.preferred(passed); {
		case len(passed) == 0:
		case chosen == nil:
			plain.Reason = "ambiguous import: " + offers(passed)
			return plain
		case r.late && len(passed) > 0 && !allSiblings(chosen.options):
			plain.Reason = tooLate
			return plain
		default:
			for _, o := range chosen.options {
				chosen.verdict.Imports = append(chosen.verdict.Imports, o.spec)
			}
			chosen.verdict.MissingImports = nil
			return chosen.verdict
		}
	}
	furthest.MissingImports = plain.MissingImports
	if r.late {
		furthest.Reason = tooLate
	}
	return furthest
}

// firstError is the offset of a verdict's first error in the candidate; beyond any text when all lie outside.
func firstError(v verdict) int {
	first := math.MaxInt
	for _, e := range v.Errors {
		if e.InsertOffset != nil {
			first = min(first, *e.InsertOffset)
		}
	}
	return first
}

// options are the packages that a name may mean: what other files of the package import under it, and unless
// there are such, or far, all others.
func (r *resolver) options(name string, members []string, far bool) []option {
	if !hasAll(ast.IsExported, members) || !r.mayMean(name) {
		return nil
	}
	options := r.siblings(name, members)
	if len(options) > 0 && !far {
		return options
	}
	key := name + " " + strings.Join(members, " ")
	others, known := r.known[key]
	if !known {
		u, importer, dir := r.dir.universe, r.focus.meta, r.dir.dir
		found, ok := inTime(r.deadline, func() []option {
			ms, err := u.modulesOf(dir)
			if err != nil {
				return nil
			}
			return u.packagesNamed(ms, importer, name, members)
		})
		if !ok {
			r.late = true
			return options
		}
		r.known[key], others = found, found
	}
	for _, o := range others {
		if o.meta.Dir != r.dir.dir && !slices.ContainsFunc(options, func(s option) bool { return s.spec.Path == o.spec.Path }) {
			options = append(options, o)
		}
	}
	return options
}

// mayMean reports whether a name that the file misses may be that of a package.
func (r *resolver) mayMean(name string) bool {
	return name != "main" && !r.dir.declares(r.file, name) && !r.maybeImported(name)
}

// maybeImported reports whether the file imports something that could not be found and may be called name.
func (r *resolver) maybeImported(name string) bool {
	return slices.ContainsFunc(r.file.ast.Imports, func(spec *ast.ImportSpec) bool {
		return spec.Name == nil && r.focus.unresolved(spec) && mayBeCalled(importPath(spec), name)
	})
}

// inTime runs work and returns its result if that is there by the deadline; work goes on otherwise. Work that
// panics comes to nothing.
func inTime[T any](deadline time.Time, work func() T) (T, bool) {
	result := make(chan T, 1)
	go func() {
		var found T
		defer func() {
			if p := recover(); p != nil {
				_ = panicError(p) // logs it
			}
			result <- found
		}()
		found = work()
	}()
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case found := <-result:
		return found, true
	case <-timer.C:
		var none T
		return none, false
	}
}

// siblings are the packages that other files of this one import under a name, each as they spell it. An external
// test's own package counts as one.
func (r *resolver) siblings(name string, members []string) []option {
	var options []option
	add := func(spec importSpec, m *meta, pkg *types.Package) {
		fits := func(member string) bool { return pkg.Scope().Lookup(member) != nil }
		known := func(o option) bool { return o.spec.Path == spec.Path } // the first to spell it counts
		if pkg != nil && hasAll(fits, members) && !slices.ContainsFunc(options, known) {
			options = append(options, option{spec, m, sibling})
		}
	}
	if tested := r.focus.testOf; tested != nil && tested.Name() == name {
		add(importSpec{Path: tested.Path()}, r.dir.universe.metaOfDir(r.dir.dir), tested)
	}
	for _, g := range r.focus.files {
		if g == r.file {
			continue
		}
		for _, spec := range g.ast.Imports {
			path := importPath(spec)
			pkg := r.focus.imports[path]
			m := r.dir.universe.resolve(r.focus.meta, path)
			if pkg == nil || m == nil {
				continue
			}
			if spec.Name != nil && spec.Name.Name == name {
				add(importSpec{Name: name, Path: path}, m, pkg)
			} else if spec.Name == nil && pkg.Name() == name {
				add(importSpec{Path: path}, m, pkg)
			}
		}
	}
	return options
}

// declares reports whether a file of f's package, for whatever target, declares name: an import of that name
// would collide with it.
func (d *directory) declares(f *sourceFile, name string) bool {
	for _, g := range d.files {
		if g.ast == nil || g.pkgName() != f.pkgName() {
			continue
		}
		names := map[string]bool{}
		declare(names, g.ast)
		if names[name] || g.broken[name] {
			return true
		}
	}
	return false
}

// trials checks the ways to choose one option for each name that were not tried before.
func (r *resolver) trials(choices [][]option, tried map[string]bool, check func([]addition) verdict) []trial {
	if len(choices) == 0 {
		return nil
	}
	var made []trial
	at := make([]int, len(choices))
	for done := false; !done; done = !advance(at, choices) {
		chosen := make([]option, len(choices))
		for i, k := range at {
			chosen[i] = choices[i][k]
		}
		key := fmt.Sprint(specsOf(chosen))
		if tried[key] {
			continue
		}
		tried[key] = true
		if len(made) == maxTrials || len(made) > 0 && time.Now().After(r.deadline) {
			r.late = true
			break
		}
		added := make([]addition, 0, len(chosen))
		for _, o := range chosen {
			if pkg := r.load(o); pkg != nil {
				added = append(added, addition{o.spec, pkg})
			}
		}
		if len(added) == len(chosen) {
			made = append(made, trial{chosen, check(added)})
		}
	}
	return made
}

// advance counts at on to the next choice, and reports whether there was one.
func advance(at []int, choices [][]option) bool {
	for i := range at {
		if at[i]++; at[i] < len(choices[i]) {
			return true
		}
		at[i] = 0
	}
	return false
}

func specsOf(options []option) []importSpec {
	specs := make([]importSpec, len(options))
	for i, o := range options {
		specs[i] = o.spec
	}
	return specs
}

// load returns an option's package as this file would import it, or nil when it is not there in time.
func (r *resolver) load(o option) *types.Package {
	if pkg := r.focus.imports[o.spec.Path]; pkg != nil {
		return pkg
	}
	if t := r.focus.retest; t != nil && t.touches(o.meta, map[string]bool{}) {
		return t.load(o.meta)
	}
	u := r.dir.universe
	if pkg, ok := inTime(r.deadline, func() *types.Package { return u.load(o.meta) }); ok {
		return pkg
	}
	r.late = true
	return nil
}

// preferred chooses among ways that all pass: what files of this package import, then what most packages of the
// module do. nil when that does not decide.
func (r *resolver) preferred(passed []trial) *trial {
	if len(passed) == 1 {
		return &passed[0]
	}
	var chosen *trial
	for i := range passed {
		wins := true
		for j := range passed {
			wins = wins && (i == j || r.beats(passed[i].options, passed[j].options))
		}
		if wins {
			chosen = &passed[i]
		}
	}
	return chosen
}

// beats reports whether a is the better choice for every name for which b is another.
func (r *resolver) beats(a, b []option) bool {
	for i := range a {
		if a[i].spec == b[i].spec {
			continue
		}
		if a[i].tier != sibling && b[i].tier == sibling {
			return false
		}
		if a[i].tier == sibling && b[i].tier != sibling {
			continue
		}
		u, m := r.dir.universe, r.focus.meta
		if u.importers(m.Module, m.ImportPath, a[i].spec.Path) <= u.importers(m.Module, m.ImportPath, b[i].spec.Path) {
			return false
		}
	}
	return true
}

func allSiblings(options []option) bool {
	return !slices.ContainsFunc(options, func(o option) bool { return o.tier != sibling })
}

// offers names the paths between which nothing decides.
func offers(passed []trial) string {
	var paths []string
	for _, t := range passed {
		for _, o := range t.options {
			if !slices.Contains(paths, o.spec.Path) {
				paths = append(paths, o.spec.Path)
			}
		}
	}
	slices.Sort(paths)
	return strings.Join(paths, ", ")
}
