"""Small Go programs that do harm, or try: each is run in the sandbox, with the real toolchain and kernel."""

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from goassist_models.evaluate.sandbox import MIB, Limits, namespaces, protection, run

needs_namespaces = pytest.mark.skipif(
    namespaces() == "none", reason="this machine gives no namespaces, neither by bubblewrap nor by unshare"
)

TEMPORARY = "/tmp"  # inside of the sandbox

PROGRAM = r"""package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

func main() {
	switch os.Args[1] {
	case "healthy":
		grown := map[int]string{}
		for i := 0; i < 200000; i++ {
			grown[i] = fmt.Sprint(i)
		}
		done := make(chan int)
		for i := 0; i < 20; i++ {
			go func() { done <- len(grown) }()
		}
		for i := 0; i < 20; i++ {
			<-done
		}
		fmt.Println("well", len(grown), runtime.GOMAXPROCS(0), os.Getenv("SECRET"))
	case "memory":
		var kept [][]byte
		for {
			block := make([]byte, 1<<20)
			for i := range block {
				block[i] = 1
			}
			kept = append(kept, block)
			if len(kept)%32 == 0 {
				fmt.Println("MiB", len(kept))
			}
		}
	case "forks":
		for i := 0; i < 1000; i++ {
			child := exec.Command(os.Args[0], "sleep")
			if err := child.Start(); err != nil {
				fmt.Println("refused after", i)
				return
			}
		}
		fmt.Println("all started")
	case "sleep":
		time.Sleep(time.Hour)
	case "loop":
		for {
		}
	case "orphan":
		child := exec.Command(os.Args[0], "sleep")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		fmt.Println(child.Start())
	case "write":
		for _, name := range os.Args[2:] {
			err := os.WriteFile(name, []byte("x"), 0o644)
			fmt.Println(name, err == nil)
		}
	case "read":
		for _, name := range os.Args[2:] {
			_, err := os.ReadFile(name)
			fmt.Println(name, err == nil)
		}
	case "fill":
		file, _ := os.Create(os.Args[2])
		for {
			if _, err := file.Write(make([]byte, 1<<20)); err != nil {
				at, _ := file.Seek(0, 1)
				fmt.Println("held at", at)
				return
			}
		}
	case "connect":
		_, err := net.DialTimeout("tcp", os.Args[2], 2*time.Second)
		fmt.Println("connected", err == nil)
	case "talk":
		for {
			fmt.Println(strings.Repeat("x", 1000))
		}
	case "exit":
		os.Exit(3)
	}
}
"""


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory with the program, compiled."""
    source = tmp_path_factory.mktemp("source")
    box = tmp_path_factory.mktemp("box")
    (source / "main.go").write_text(PROGRAM)
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GO111MODULE": "off"}
    built = ["go", "build", "-o", str(box / "program"), "main.go"]
    subprocess.run(built, cwd=source, env=environment, check=True)
    (box / "given.txt").write_text("given")
    return box


def test_a_healthy_program_runs_with_two_processors_and_nothing_of_our_environment(
    box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "secret")
    outcome = run(["program", "healthy"], box)
    assert (outcome.ok, outcome.output) == (True, "well 200000 2 \n")


def test_an_exit_status_comes_back(box: Path) -> None:
    outcome = run(["program", "exit"], box)
    assert (outcome.status, outcome.stopped, outcome.ok) == (3, "", False)


def test_an_allocation_loop_is_refused_memory_at_its_bound(box: Path) -> None:
    outcome = run(["program", "memory"], box, Limits(memory_bytes=256 * MIB))
    assert outcome.status == 2
    # Go says it in one of two ways: the program's own allocation fails, or the collector's beside it.
    assert re.search(r"fatal error: runtime: (out of|cannot allocate) memory", outcome.output)
    assert "MiB 96\n" in outcome.output
    assert "MiB 288\n" not in outcome.output


@pytest.mark.skipif(
    namespaces() == "none" and os.geteuid() == 0, reason="the kernel does not count root's processes outside namespaces"
)
def test_a_fork_bomb_is_refused_processes_and_leaves_none(box: Path) -> None:
    outcome = run(["program", "forks"], box, Limits(processes=64 if namespaces() != "none" else 300))
    assert "all started" not in outcome.output
    assert left(box) == []


def test_an_endless_loop_ends_with_the_wall_clock(box: Path) -> None:
    outcome = run(["program", "loop"], box, Limits(wall_s=0.5))
    assert outcome.stopped == "wall clock"
    assert left(box) == []


def test_an_endless_loop_ends_with_its_processor_time(box: Path) -> None:
    outcome = run(["program", "loop"], box, Limits(cpu_s=1, wall_s=60))
    assert (outcome.stopped, outcome.ok) == ("", False)


def test_a_child_that_outlives_its_parent_is_ended(box: Path) -> None:
    outcome = run(["program", "orphan"], box, Limits(wall_s=2))
    assert outcome.output == "<nil>\n"
    assert left(box) == []


def test_endless_output_ends_the_run_and_is_cut(box: Path) -> None:
    outcome = run(["program", "talk"], box, Limits(output_bytes=5000))
    assert (outcome.stopped, len(outcome.output)) == ("output", 5000)


def test_a_file_stays_below_its_bound(box: Path, tmp_path: Path) -> None:
    place = f"{TEMPORARY}/file" if namespaces() != "none" else str(tmp_path / "file")
    outcome = run(["program", "fill", place], box, Limits(file_bytes=2 * MIB))
    assert outcome.output == f"held at {2 * MIB}\n"


@needs_namespaces
def test_all_files_together_stay_below_their_bound(box: Path) -> None:
    outcome = run(["program", "fill", f"{TEMPORARY}/file"], box, Limits(temporary_bytes=3 * MIB, file_bytes=64 * MIB))
    assert outcome.output == f"held at {3 * MIB}\n"


@needs_namespaces
def test_nothing_is_written_outside_of_an_own_temporary_directory(box: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    places = [str(tmp_path / "canary"), "here", "/canary", "/dev/canary", f"{TEMPORARY}/canary"]
    outcome = run(["program", "write", *places], box)
    assert outcome.output.splitlines() == [*(f"{place} false" for place in places[:-1]), f"{places[-1]} true"]
    assert list(tmp_path.iterdir()) == []
    assert sorted(path.name for path in box.iterdir()) == ["given.txt", "program"]
    assert not Path(TEMPORARY, "canary").exists()


@needs_namespaces
def test_nothing_is_read_but_what_lies_beside_the_binary(box: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.write_text("x")
    tmp_path.chmod(0o755)
    outcome = run(["program", "read", "given.txt", str(canary), "/etc/passwd", "/proc/self/status"], box)
    expected = ["given.txt true", f"{canary} false", "/etc/passwd false", "/proc/self/status false"]
    assert outcome.output.splitlines() == expected


@needs_namespaces
def test_what_is_named_readable_can_be_read_and_not_written(box: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("x")
    tmp_path.chmod(0o777)
    limits = Limits(readable=(tmp_path,))
    assert run(["program", "read", str(tmp_path / "text")], box, limits).output.endswith(" true\n")
    assert run(["program", "write", str(tmp_path / "new")], box, limits).output.endswith(" false\n")


@needs_namespaces
def test_no_connection_is_made_even_to_this_machine(box: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        outside = subprocess.run([box / "program", "connect", address], capture_output=True, text=True, check=True)
        assert outside.stdout == "connected true\n"
        assert run(["program", "connect", address], box).output == "connected false\n"


def test_says_which_layers_protect_this_machine() -> None:
    assert ("no namespaces" in protection()) == (namespaces() == "none")
    assert "wall clock" in protection()


def left(box: Path) -> list[str]:
    """Processes of the program that still run."""
    found = []
    for entry in Path("/proc").iterdir() if Path("/proc").is_dir() else ():
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if entry.name.isdigit() and (b"/program\0sleep" in command or b"/program\0loop" in command):
            found.append(f"{entry.name} {command!r} {box}")
    return found
