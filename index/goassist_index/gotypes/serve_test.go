package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// spoken runs the service on lines and returns its replies by id; replies without one stand under "null".
func spoken(t *testing.T, s *session, lines ...string) map[string]map[string]json.RawMessage {
	t.Helper()
	in, requests := io.Pipe()
	replies, out := io.Pipe()
	ended := make(chan struct{})
	go func() {
		serve(in, out, s)
		close(ended)
	}()
	got := map[string]map[string]json.RawMessage{}
	scanner := bufio.NewScanner(replies)
	scanner.Buffer(nil, 1<<24)
	go func() {
		for _, line := range lines {
			_, _ = io.WriteString(requests, line+"\n")
		}
	}()
	for len(got) < len(lines) && scanner.Scan() {
		var reply map[string]json.RawMessage
		if err := json.Unmarshal(scanner.Bytes(), &reply); err != nil {
			t.Fatalf("not JSON: %s", scanner.Bytes())
		}
		if _, event := reply["method"]; !event {
			got[string(reply["id"])] = reply
		}
	}
	_ = requests.Close()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the service goes on after its input ended")
	}
	return got
}

func TestBadRequestsGetErrorRepliesAndTheServiceLives(t *testing.T) {
	p := newProject(t, shop)
	file, _ := json.Marshal(p.path("shop.go"))
	got := spoken(t, p.session,
		`{"id":1,"method":"nonsense","params":{}}`,
		`{"id":2,"method":"check","params":{"file":"relative.go"}}`,
		`{"id":3,"method":"check","params":[]}`,
		`not json`,
		`{"id":4,"method":"check","params":{"file":`+string(file)+`,"offset":99999999,"inserts":["a"]}}`,
		`{"id":5,"method":"check","params":{"file":`+string(file)+`,"offset":-1,"inserts":["a"]}}`,
		`{"id":6,"method":"check","params":{"file":`+string(file)+`,"offset":9,"end":3,"inserts":["a"]}}`,
		`{"id":7,"method":"overlay","params":{"file":`+string(file)+`}}`,
		`{"id":8,"method":"check","params":{"file":"/nowhere/at/all.go","inserts":["a"]}}`,
		`{"id":9,"method":"stats"}`,
	)
	for id, code := range map[string]string{
		"1": "unknown_method", "2": "bad_request", "3": "bad_request", "null": "parse_error", "4": "bad_request",
		"5": "bad_request", "6": "bad_request", "7": "bad_request", "8": "bad_request",
	} {
		if !strings.Contains(string(got[id]["error"]), code) {
			t.Errorf("request %s: error %s, want code %s", id, got[id]["error"], code)
		}
	}
	if !strings.Contains(string(got["9"]["result"]), "heap_bytes") {
		t.Errorf("stats after bad requests: %v", got["9"])
	}
}

// A request counts its offset in the buffer of its moment; a shorter one may have come before it is looked at.
func TestAQuestionAboutABufferThatIsGoneIsNotAnsweredFromTheNextOne(t *testing.T) {
	p := newProject(t, shop)
	file := p.path("shop.go")
	disk, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	long, short := string(disk)+"\nfunc more() { _ = 1 }\n", string(disk)
	for _, ask := range []func(*session, json.RawMessage) (func() (any, error), error){checkMethod, legalMethod} {
		raw, _ := json.Marshal(map[string]any{
			"file": file, "text": long, "offset": len(long) - 3, "inserts": []string{"x"}, "wait_ms": 60_000,
		})
		answer, err := ask(p.session, raw)
		if err != nil {
			t.Fatal(err)
		}
		p.session.sources.setOverlay(file, []byte(short))
		p.session.changed(file)
		got, err := answer()
		if said, _ := json.Marshal(got); err != nil || !strings.Contains(string(said), "changed meanwhile") {
			t.Errorf("got %s, %v", said, err)
		}
		again, err := ask(p.session, raw)
		if err != nil {
			t.Fatal(err)
		}
		if got, err = again(); err != nil {
			t.Fatal(err)
		}
		if said, _ := json.Marshal(got); strings.Contains(string(said), "changed meanwhile") {
			t.Errorf("the buffer that is there is not answered for: %s", said)
		}
	}
}

func TestAPanicBecomesAnErrorReply(t *testing.T) {
	_, err := guarded(func() (any, error) { panic("odd file") })
	if err == nil || !strings.Contains(err.Error(), "odd file") {
		t.Fatalf("got %v", err)
	}
}

func TestWaitingForALoadEndsWithAReason(t *testing.T) {
	p := newProject(t, shop)
	got, err := p.session.check(p.path("shop.go"), question{inserts: []string{"a", "b"}}, time.Nanosecond)
	if err != nil || len(got) != 2 || got[0].Status != "unknown" || got[0].Reason != "loading" {
		t.Fatalf("%v %+v", err, got)
	}
}

// heapAfter is the live heap after checks edits of a function and of its candidates.
func heapAfter(p *project, checks int) (heap uint64, files int) {
	for i := range checks {
		body := strings.Repeat("\tfmt.Println()\n", i%7) + "\t«»\n" + strings.Repeat("\tfmt.Println(1)\n", i%5)
		p.check("f.go", inFunc("func f(i *Item)", body), []string{"i.Price()", "i.Cost()", "i.", "if true {"}[i%4])
	}
	runtime.GC()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	for _, target := range p.session.targets {
		for _, o := range target.directories {
			for range o.dir.fset.Iterate {
				files++
			}
		}
	}
	return mem.HeapAlloc, files
}

func TestMemoryDoesNotGrowWithChecks(t *testing.T) {
	p := newProject(t, shop)
	before, filesBefore := heapAfter(p, maxUses)
	after, filesAfter := heapAfter(p, 10*maxUses)
	if filesAfter > filesBefore {
		t.Errorf("%d files in the FileSet after %d", filesAfter, filesBefore)
	}
	if after > before+before/10+1<<20 {
		t.Errorf("heap of %d bytes after %d", after, before)
	}
}

func TestFactsSayWhatIsInPlay(t *testing.T) {
	p := newProject(t, shop)
	text := "package shop\n\nfunc (i *Item) f(n int, names []string) error {\n\tfor k := range names {\n\t\tx := k + 1\n\t\tfind(nil, )\n\t\tlater := 1\n\t}\n}\n"
	p.overlay("f.go", text)
	got := viewOf(t, p, text, "find(nil, ", func(v *view) any { return v.facts() }).(facts)
	if got.Function != "func (i *Item) f(n int, names []string) error" || got.Expected != "string" {
		t.Errorf("function %q, expected type %q", got.Function, got.Expected)
	}
	var locals []string
	for _, l := range got.Locals {
		locals = append(locals, l.Name+" "+l.Type)
	}
	if s := strings.Join(locals, ", "); s != "x int, k int, names []string, n int, i *Item" {
		t.Errorf("locals %q", s)
	}
	if got.Receiver == nil || got.Receiver.Type != "*Item" || len(got.Receiver.Fields) != 2 || len(got.Receiver.Methods) != 2 {
		t.Errorf("receiver %+v", got.Receiver)
	}
}

func TestMembersFollowADot(t *testing.T) {
	p := newProject(t, shop)
	for _, c := range []struct{ typed, kind, member string }{
		{"i.", "value", "price"}, {"i.Pr", "value", "Price"}, {"errors.", "package", "New"},
		{"(&Stack[int]{}).", "value", "Push"}, {"fmt.Sprint(i.", "value", "Name"},
	} {
		text := "package shop\n\nimport (\n\t\"errors\"\n\t\"fmt\"\n)\n\nfunc f(i *Item) {\n\t" + c.typed + "\n\tshow(i)\n}\n"
		p.overlay("f.go", text)
		got := viewOf(t, p, text, "{\n\t"+c.typed, func(v *view) any { return v.members() }).(members)
		found := false
		for _, m := range got.Members {
			found = found || m.Name == c.member
		}
		if !found || got.Kind != c.kind {
			t.Errorf("%q: %s %s without %s: %+v", c.typed, got.Kind, got.Of, c.member, got.Members)
		}
	}
}

// viewOf looks at the place after the first mark in text.
func viewOf(t *testing.T, p *project, text, mark string, ask func(*view) any) (answer any) {
	t.Helper()
	err := p.session.within(p.path("f.go"), nil, time.Minute, func(d *directory, f *sourceFile) error {
		v := d.viewAt(f, strings.Index(text, mark)+len(mark), "")
		if v == nil {
			t.Fatalf("no view after %q", mark)
		}
		defer v.unit.release()
		answer = ask(v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestMemoryIsGivenBackWhenNobodyAsks(t *testing.T) {
	restAfter = time.Millisecond
	defer func() { restAfter = 5 * time.Second }()
	const garbage = 64 << 20
	kept := make([]byte, garbage)
	for i := 0; i < len(kept); i += 4096 {
		kept[i] = 1
	}
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	runtime.KeepAlive(kept)
	kept = nil
	p := newProject(t, shop)
	in, requests := io.Pipe()
	replies, out := io.Pipe()
	go serve(in, out, p.session)
	defer func() { _ = requests.Close() }()
	go func() { _, _ = io.Copy(io.Discard, replies) }()
	_, _ = io.WriteString(requests, `{"id":1,"method":"stats"}`+"\n")
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		if now.HeapSys-now.HeapReleased < before.HeapSys-before.HeapReleased-garbage/2 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d MiB are held", (now.HeapSys-now.HeapReleased)>>20)
		}
	}
}
