"""A workspace for the HTTP server's answers: a function to be written, tests of it, and tests that try to get out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from openai import OpenAI

WORKSPACE = """\
-- go.mod --
module example.com/sums

go 1.23
-- sum.go --
package sums

// Add adds up.
func Add(a, b int) int {
	HOLE
}
-- twice.go --
package sums

// Twice is a's double.
func Twice(a int) int { return Add(a, a) }
-- sum_test.go --
package sums

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestAdd(t *testing.T) {
	if Add(2, 3) != 5 || Twice(4) != 8 {
		t.Fatal("wrong sum")
	}
}

func TestData(t *testing.T) {
	if _, err := os.ReadFile(filepath.Join("testdata", "given.txt")); err != nil {
		t.Fatal(err)
	}
	if Add(1, 1) != 2 {
		t.Fatal("wrong sum")
	}
}

func TestHome(t *testing.T) {
	found, err := os.ReadFile(os.Getenv("GOASSIST_TEST_SECRET_FILE"))
	if err != nil {
		found, err = os.ReadFile("SECRET_FILE")
	}
	if err == nil {
		t.Logf("read: %s", found)
	} else {
		t.Fatal(err)
	}
}

func TestWrites(t *testing.T) {
	if err := os.WriteFile("written.txt", nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestNetwork(t *testing.T) {
	connection, err := net.DialTimeout("tcp", "SERVER_ADDRESS", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	connection.Close()
}

func TestForks(t *testing.T) {
	for i := 0; i < 1000; i++ {
		if err := exec.Command(os.Args[0], "-test.run=TestSleeps").Start(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSleeps(t *testing.T) { time.Sleep(time.Hour) }

func TestFills(t *testing.T) {
	file, err := os.Create(filepath.Join(os.TempDir(), "large"))
	for err == nil {
		_, err = file.Write(make([]byte, 1<<20))
	}
	t.Fatal(err)
}

func TestEats(t *testing.T) {
	var kept [][]byte
	for {
		kept = append(kept, make([]byte, 64<<20))
		for i := 0; i < 64<<20; i += 4096 {
			kept[len(kept)-1][i] = 1
		}
	}
}

func TestTalks(t *testing.T) {
	for {
		os.Stdout.Write(make([]byte, 1<<16))
	}
}
-- testdata/given.txt --
given
"""
SECRET = "what nobody is to read"
# A file of its own, up to where it is to be written.
ALONE = "package main\n\nfunc add(a, b int) int {\n\t"


def create(client: OpenAI, before: str, after: str, *say: str, **more: Any) -> Any:
    """The answer between two texts, where the engine says these; its directions stand behind."""
    stream = more.pop("stream", False)
    suffix = f"{after}\n//fake {json.dumps({'say': say})}\n"
    return client.completions.create(
        model="any", prompt=before, suffix=suffix, stream=stream, extra_body={"compile_check": True, **more}
    )


def one(client: OpenAI, before: str, after: str, *say: str, **more: Any) -> tuple[str, Any, str | None]:
    (choice,) = create(client, before, after, *say, **more).choices
    return choice.text, choice.model_extra["goassist"], choice.finish_reason


def in_workspace(
    client: OpenAI, root: Path, *say: str, file: str = "sum.go", **more: Any
) -> tuple[str, Any, str | None]:
    before, _, after = (root / "sum.go").read_text().partition("HOLE")
    return one(client, before, after, *say, workspace="sums", file=file, **more)
