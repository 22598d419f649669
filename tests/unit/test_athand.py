"""Claims about goassist_index.athand: what other files declare is ranked by types, by use and by words."""

from __future__ import annotations

from pathlib import Path

from goassist_index.athand import Place, at_hand
from goassist_index.typefacts import InPlay, TypeFacts

OTHERS = {
    Path("raft.go"): """package raft

// Raft is a node.
type Raft struct {
	// logger says what goes on.
	logger  Logger
	id, era int `json:"x"`
}

type Store interface {
	Get(key string) (int, error)
}

// Leader tells who leads.
func (r *Raft) Leader() string {
	r.logger.Say("x")
	return ""
}

func (r *Raft) seldom() {}
""",
    Path("tools.go"): """package raft

// parse reads a term.
func parse(text string) (Term, error) {
	return 0, nil
}

func stop(r *Raft) {}

func unrelated() {}
""",
}
RAFT = InPlay("*Raft", "receiver", "r", "type Raft struct {\n}")
STORE = InPlay(
    "disk.Store", "param", "s", "type disk.Store struct {\n\tPath string\n}", ("func (s *disk.Store) Sync() error",)
)


def lines(
    asking: str = "", line_prefix: str = "\t", text: str = "", known: str = "", facts: TypeFacts | None = None
) -> list[str]:
    told = facts or TypeFacts("", "", "", (RAFT, STORE))
    return [one.line for one in at_hand(Place(text, line_prefix, asking, known), OTHERS, told)]


def test_members_are_written_as_one_would_write_them_there() -> None:
    found = lines()
    assert {"r.logger Logger", "r.id, era int", "r.Leader() string", "s.Path string", "s.Sync() error"} <= set(found)
    assert {"parse(text string) (Term, error)", "stop(r *Raft)", "unrelated()"} <= set(found)
    assert not any("//" in line or "`" in line for line in found)


def test_behind_a_dot_there_are_members_only_those_of_what_stands_there_first() -> None:
    operand = InPlay("Store", "operand", "", "type Store interface {\n}")
    found = lines(line_prefix="\treturn n.store.G", facts=TypeFacts("", "", "", (operand, RAFT)))
    assert found[0] == "n.store.Get(key string) (int, error)"
    assert not any(line.startswith(("parse", "stop")) for line in found)


def test_what_is_used_often_comes_before_what_is_not() -> None:
    found = lines()
    assert found.index("r.logger Logger") < found.index("r.seldom()")
    assert lines(text="unrelated() unrelated() unrelated() unrelated()").index("unrelated()") < found.index(
        "unrelated()"
    )


def test_a_function_that_gives_the_wanted_type_or_takes_a_type_in_play_comes_first() -> None:
    found = [line for line in lines(facts=TypeFacts("", "Term", "", (RAFT,))) if "." not in line]
    assert found == ["parse(text string) (Term, error)", "stop(r *Raft)", "unrelated()"]


def test_words_that_ask_count() -> None:
    functions = [line for line in lines(asking="something unrelated") if "." not in line]
    assert functions[0] == "unrelated()"


def test_what_the_prompt_says_already_is_left_out() -> None:
    assert "r.logger Logger" not in lines(known="type Raft struct {\n\tlogger Logger\n}")
