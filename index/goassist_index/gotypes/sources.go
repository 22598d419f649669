package main

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"sync"
)

// maxFileBytes bounds what is read from disk: generated files beyond it are left out.
const maxFileBytes = 32 << 20

// text is one version of a file's contents. stamp is equal only for equal contents (or, on disk, for equal
// size and modification time).
type text struct {
	data  []byte
	stamp stamp
}

type stamp struct {
	overlay bool
	digest  [32]byte
	size    int64
	mtime   int64
}

// sources gives the contents of files: unsaved buffers before the disk.
type sources struct {
	mu       sync.RWMutex
	overlays map[string]*text
}

func newSources() *sources { return &sources{overlays: map[string]*text{}} }

// setOverlay records an unsaved buffer and reports whether that changed anything.
func (s *sources) setOverlay(file string, data []byte) bool {
	t := &text{data: data, stamp: stamp{overlay: true, digest: sha256.Sum256(data)}}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.overlays[file]; old != nil && old.stamp == t.stamp {
		return false
	}
	s.overlays[file] = t
	return true
}

// buffer is file's unsaved buffer, nil where there is none.
func (s *sources) buffer(file string) *text {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.overlays[file]
}

// dropOverlay goes back to the disk and reports whether there was a buffer.
func (s *sources) dropOverlay(file string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, had := s.overlays[file]
	delete(s.overlays, file)
	return had
}

// overlaysIn lists the names of the buffers that belong to dir.
func (s *sources) overlaysIn(dir string) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var names []string
	for file := range s.overlays {
		if filepath.Dir(file) == dir {
			names = append(names, filepath.Base(file))
		}
	}
	return names
}

// stamp says which version of file is current without reading it.
func (s *sources) stamp(file string) (stamp, error) {
	if t := s.buffer(file); t != nil {
		return t.stamp, nil
	}
	info, err := os.Stat(file)
	if err != nil {
		return stamp{}, err
	}
	return stamp{size: info.Size(), mtime: info.ModTime().UnixNano()}, nil
}

// read returns the current contents of file.
func (s *sources) read(file string) (*text, error) {
	if t := s.buffer(file); t != nil {
		return t, nil
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFileBytes {
		return nil, &replyError{Code: "too_large", Message: file + " is too large"}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return &text{data: data, stamp: stamp{size: info.Size(), mtime: info.ModTime().UnixNano()}}, nil
}
