// Command gotypes is goassist's Go type service: it says whether text put at a cursor type-checks there.
//
// It speaks JSON lines over stdin and stdout with typeservice.py, one process for each workspace, logs to
// stderr, and ends when stdin closes. It reads source and runs `go list`; it never compiles, downloads or runs
// the workspace's code.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"runtime/debug"
	"sync"
	"time"
)

// maxLineBytes bounds one request: a whole buffer in JSON escapes.
const maxLineBytes = 256 << 20

// request is one line from the client.
type request struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

// replyError is what went wrong with one request; Code is a word for programs.
type replyError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Error makes replyError an error.
func (e *replyError) Error() string { return e.Message }

// badRequest is the error for params that cannot be used.
func badRequest(format string, args ...any) error {
	return &replyError{Code: "bad_request", Message: fmt.Sprintf(format, args...)}
}

// server reads requests, hands them to the session and writes replies as they come ready.
type server struct {
	session *session
	mu      sync.Mutex // guards out
	out     *json.Encoder
	running sync.WaitGroup
	resting *time.Timer // gives memory back when nobody has asked for a while
}

// restAfter is how long nobody asks until what checks have left behind is given back: longer than somebody who types
// thinks. It costs some hundredths of a second of processor time, once.
var restAfter = 5 * time.Second

func main() {
	log.SetFlags(log.Ltime | log.Lmicroseconds)

	debug.SetGCPercent(restingGCPercent)
	dir, err := os.Getwd()
	if err != nil {
		log.Fatal(err)
	}
	serve(os.Stdin, os.Stdout, newSession(dir))
}

// serve answers requests until in ends.
func serve(in io.Reader, out io.Writer, s *session) {
	sv := &server{session: s, out: json.NewEncoder(out)}
	sv.out.SetEscapeHTML(false)
	sv.resting = time.AfterFunc(restAfter, giveBack)
	defer sv.resting.Stop()
	s.notify = func(method string, params any) {
		sv.write(map[string]any{"method": method, "params": params})
	}
	lines := bufio.NewReaderSize(in, 1<<20)
	for {
		line, err := readLine(lines)
		if len(line) > 0 {
			sv.handle(line)
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				log.Printf("reading requests: %v", err)
			}
			return
		}
	}
}

// readLine returns the next line without its end; io.EOF comes with the last one.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			if len(line) > maxLineBytes {
				return nil, fmt.Errorf("a request of more than %d bytes", maxLineBytes)
			}
			continue
		}
		for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
			line = line[:len(line)-1]
		}
		return line, err
	}
}

// handle answers one line. What changes buffers happens here, in order; slow work goes on in a goroutine.
func (sv *server) handle(line []byte) {
	sv.resting.Reset(restAfter)
	var req request
	if err := json.Unmarshal(line, &req); err != nil {
		sv.reply(nil, nil, &replyError{Code: "parse_error", Message: "not a JSON request: " + err.Error()})
		return
	}
	work, err := sv.prepare(req)
	if err != nil {
		sv.reply(req.ID, nil, err)
		return
	}
	sv.running.Add(1)
	go func() {
		defer sv.running.Done()
		result, err := guarded(work)
		sv.reply(req.ID, result, err)
	}()
}

// prepare runs the ordered part of a request and returns its slow part.
func (sv *server) prepare(req request) (work func() (any, error), err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError(p)
		}
	}()
	method, ok := methods[req.Method]
	if !ok {
		return nil, &replyError{Code: "unknown_method", Message: fmt.Sprintf("no method %q", req.Method)}
	}
	return method(sv.session, req.Params)
}

// guarded runs work and turns a panic into an error reply, so that one odd file cannot end the service.
func guarded(work func() (any, error)) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError(p)
		}
	}()
	return work()
}

func panicError(p any) error {
	log.Printf("panic: %v\n%s", p, debug.Stack())
	return &replyError{Code: "internal", Message: fmt.Sprintf("panic: %v", p)}
}

func (sv *server) reply(id json.RawMessage, result any, err error) {
	if len(id) == 0 {
		id = json.RawMessage("null")
	}
	message := map[string]any{"id": id}
	if err != nil {
		var known *replyError
		if !errors.As(err, &known) {
			known = &replyError{Code: "failed", Message: err.Error()}
		}
		message["error"] = known
	} else {
		message["result"] = result
	}
	sv.write(message)
}

func (sv *server) write(message any) {
	sv.mu.Lock()
	defer sv.mu.Unlock()
	if err := sv.out.Encode(message); err != nil {
		log.Printf("writing a reply: %v", err)
	}
}
