package main

import (
	"encoding/json"
	"path/filepath"
	"runtime"
	"time"
)

// methods are the requests, each as its ordered part, which returns the slow part.
var methods = map[string]func(*session, json.RawMessage) (func() (any, error), error){
	"open":    openMethod,
	"overlay": overlayMethod,
	"close":   closeMethod,
	"check":   checkMethod,
	"facts":   factsMethod,
	"legal":   legalMethod,
	"wanted":  wantedMethod,
	"members": membersMethod,
	"stats":   statsMethod,
}

// fileParams are the parameters of all requests about a file. Offsets count bytes.
type fileParams struct {
	Dir     string   `json:"dir"`
	File    string   `json:"file"`
	Text    *string  `json:"text"`
	Offset  int      `json:"offset"`
	End     *int     `json:"end"`
	Inserts []string `json:"inserts"`
	WaitMS  int      `json:"wait_ms"`
	// Said stands at Offset, before the place that is asked about.
	Said string `json:"said"`
	// Whole says that each insert is all that its block is to hold: no later line of the block cures anything.
	Whole bool `json:"whole"`
	// ImportBudgetMS is how long to look for the imports that candidates miss; 0: such candidates are errors.
	ImportBudgetMS int `json:"import_budget_ms"`
}

func readParams(raw json.RawMessage) (fileParams, error) {
	var p fileParams
	if err := json.Unmarshal(raw, &p); err != nil {
		return p, badRequest("params: %v", err)
	}
	return p, nil
}

// readFileParams reads the parameters of a request that must name a file.
func readFileParams(raw json.RawMessage) (fileParams, string, error) {
	p, err := readParams(raw)
	if err != nil {
		return p, "", err
	}
	file, err := p.filePath()
	return p, file, err
}

// filePath requires an absolute path, so that it means the same in every process.
func (p fileParams) filePath() (string, error) {
	if !filepath.IsAbs(p.File) {
		return "", badRequest("file must be an absolute path, not %q", p.File)
	}
	return filepath.Clean(p.File), nil
}

func done(result any) func() (any, error) { return func() (any, error) { return result, nil } }

func openMethod(s *session, raw json.RawMessage) (func() (any, error), error) {
	p, err := readParams(raw)
	if err != nil {
		return nil, err
	}
	if !filepath.IsAbs(p.Dir) {
		return nil, badRequest("dir must be an absolute path, not %q", p.Dir)
	}
	s.open(s.target(hostContext()), filepath.Clean(p.Dir))
	return done(map[string]any{}), nil
}

func overlayMethod(s *session, raw json.RawMessage) (func() (any, error), error) {
	p, file, err := readFileParams(raw)
	if err != nil {
		return nil, err
	}
	if p.Text == nil {
		return nil, badRequest("overlay needs text")
	}
	s.take(file, p.Text)
	return done(map[string]any{}), nil
}

// take puts the text that came with a request, if one did, in place of file's buffer; returns the buffer that is there.
func (s *session) take(file string, content *string) *text {
	if content != nil && s.sources.setOverlay(file, []byte(*content)) {
		s.changed(file)
	}
	return s.sources.buffer(file)
}

func closeMethod(s *session, raw json.RawMessage) (func() (any, error), error) {
	_, file, err := readFileParams(raw)
	if err != nil {
		return nil, err
	}
	if s.sources.dropOverlay(file) {
		s.changed(file)
	}
	return done(map[string]any{}), nil
}

// defaultWait is how long a request waits for its package to be loaded.
const defaultWait = 10 * time.Second

func checkMethod(s *session, raw json.RawMessage) (func() (any, error), error) {
	p, file, err := readFileParams(raw)
	if err != nil {
		return nil, err
	}
	q := question{
		from: p.Offset, to: p.Offset, inserts: p.Inserts, whole: p.Whole,
		importBudget: time.Duration(p.ImportBudgetMS) * time.Millisecond,
		buffer:       s.take(file, p.Text),
	}
	if p.End != nil {
		q.to = *p.End
	}
	return func() (any, error) {
		verdicts, err := s.check(file, q, time.Duration(p.WaitMS)*time.Millisecond)
		if err != nil {
			return nil, err
		}
		return map[string]any{"verdicts": verdicts}, nil
	}, nil
}

// check finds the file's directory, waits until it is ready and checks there.
func (s *session) check(file string, q question, wait time.Duration) ([]verdict, error) {
	var verdicts []verdict
	err := s.within(file, q.buffer, wait, func(d *directory, f *sourceFile) error {
		if q.from < 0 || q.to < q.from || q.to > len(f.text.data) {
			return badRequest("offsets %d to %d are not in the text of %d bytes", q.from, q.to, len(f.text.data))
		}
		verdicts = d.checkAll(f, q)
		return nil
	})
	if reason, ok := err.(notReady); ok {
		for range q.inserts {
			verdicts = append(verdicts, unknown("%s", string(reason)))
		}
		return verdicts, nil
	}
	return verdicts, err
}

// notReady is the reason why nothing can be said about a file yet.
type notReady string

// Error makes notReady an error.
func (n notReady) Error() string { return string(n) }

// within runs work on a file whose directory is loaded and up to date, one at a time in each directory. It is not run
// where the file's buffer is not any more the one that somebody asked about (nil: whatever is there).
func (s *session) within(file string, buffer *text, wait time.Duration, work func(*directory, *sourceFile) error) error {
	if wait <= 0 {
		wait = defaultWait
	}
	dir := filepath.Dir(file)
	s.freshen(dir)
	o := s.open(s.targetOf(file), dir)
	select {
	case <-o.ready:
	case <-time.After(wait):
		return notReady("loading")
	}
	if o.err != nil {
		return o.err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dir.universe.recheck()
	if err := o.dir.refresh(); err != nil {
		return err
	}
	f := o.dir.files[filepath.Base(file)]
	if f == nil {
		if !isGoFile(filepath.Base(file)) {
			return notReady("not a Go file of a package")
		}
		return badRequest("%s: no such file and no buffer of it", file)
	}
	if buffer != nil && f.text.stamp != buffer.stamp {
		return notReady("the buffer has changed meanwhile")
	}
	s.mu.Lock()
	s.checks++
	s.mu.Unlock()
	return work(o.dir, f)
}

func statsMethod(s *session, _ json.RawMessage) (func() (any, error), error) {
	return func() (any, error) {
		runtime.GC()
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		s.mu.Lock()
		defer s.mu.Unlock()
		loaded := 0
		for _, t := range s.targets {
			loaded += t.universe.count()
		}
		return map[string]any{
			"heap_bytes": mem.HeapAlloc, "sys_bytes": mem.Sys - mem.HeapReleased, "packages": loaded,
			"go_version": runtime.Version(), "checks": s.checks, "goroutines": runtime.NumGoroutine(),
		}, nil
	}, nil
}
