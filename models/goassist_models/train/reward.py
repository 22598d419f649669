"""The compiler as a reward: what a text in a hole is worth, between 0 and 1, by what can be proved of it.

Steps, each wholly above the one below, so that no sum of bonuses lets a lower one win:
0 does not parse; up to 0.3 parses and does not compile, less for each error; 0.4 compiles and says nothing (empty,
`panic`, `_ =` and zero values alone, a test that asserts nothing); from 0.5 compiles. What more can be had there are
the weights of RewardWeights. Length earns nothing. A text that is the author's own is never trivial.

Whoever trains is handed a `Reward`; the compiler behind `check` is joined to it by the command line.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tree_sitter import Node

from goassist_index.syntax import has_error, parse, statements, walk
from goassist_index.verdict import Verdict
from goassist_models.evaluate.idioms import idiom_findings

BROKEN, TRIVIAL, COMPILES = 0.3, 0.4, 0.5
_ZEROS = frozenset({"nil", "false", "true", "0", '""', "``", "0.0", "err"})
_ASSERTING = frozenset({"Error", "Errorf", "Fatal", "Fatalf", "Fail", "FailNow", "Equal", "NoError", "True", "Run"})
_ENDLESS = frozenset({"for{}", "select{}"})
_MEASURING = frozenset({b"len", b"cap"})


@dataclass(frozen=True, slots=True)
class Hole:
    """Bytes [start, end) of `text`, the file at `path` as its author left it, are to be written anew."""

    path: Path
    text: str
    start: int
    end: int

    @property
    def truth(self) -> str:
        """What its author wrote there."""
        return self.text.encode()[self.start : self.end].decode()

    def filled(self, text: str) -> bytes:
        """The file with `text` in the hole."""
        source = self.text.encode()
        return source[: self.start] + text.encode("utf-8", "replace") + source[self.end :]


@dataclass(frozen=True, slots=True)
class RewardWeights:
    """What can be earned above COMPILES; together at most 0.5.

    `tests`: of those that name the function, when they can be run and all pass (half of it when none can be run, so
    that code without tests is worth more than code that fails them). `lint`: no staticcheck finding on the text's
    lines; `idiom`: none of our own idiom measures' (evaluate/idioms.py).
    """

    tests: float = 0.25
    lint: float = 0.15
    idiom: float = 0.1


@dataclass(frozen=True, slots=True)
class Score:
    """A text's worth and its parts. `value` is None when the compiler cannot tell. `tests` None: none could be run.

    `failing_offset` is the byte of the text at which the first error stands, None where it stands outside.
    """

    value: float | None
    parses: bool
    compiles: bool | None
    trivial: bool = False
    tests: bool | None = None
    findings: int = 0
    unidiomatic: int = 0
    complaint: str = ""
    failing_offset: int | None = None


Check = Callable[[Hole, Sequence[str]], Awaitable[Sequence[Verdict]]]
"""The compiler's word on texts in a hole, each taken as all that is to stand there."""
Reward = Callable[[Hole, Sequence[str]], Awaitable[Sequence[Score]]]
RunTests = Callable[[Hole, str], bool | None]
CountFindings = Callable[[Hole, str], int]


class CompilerRewardModel:
    """Scores texts by compiler, tests and analyzers. `run_tests` and `lint` may be left out: they take seconds each."""

    def __init__(
        self,
        check: Check,
        *,
        run_tests: RunTests | None = None,
        lint: CountFindings | None = None,
        weights: RewardWeights | None = None,
    ) -> None:
        self._check = check
        self._run_tests = run_tests
        self._lint = lint
        self._weights = weights or RewardWeights()

    async def score(self, hole: Hole, texts: Sequence[str]) -> tuple[Score, ...]:
        """One score for each text, in their order. Raises CheckerUnavailable when there is no compiler."""
        parsing = [text for text in dict.fromkeys(texts) if _parses(hole, text)]
        verdicts = dict(zip(parsing, await self._check(hole, parsing) if parsing else (), strict=True))
        known = {text: self._scored(hole, text, verdicts.get(text)) for text in dict.fromkeys(texts)}
        return tuple(known[text] for text in texts)

    def _scored(self, hole: Hole, text: str, verdict: Verdict | None) -> Score:
        if verdict is None:
            return Score(0.0, parses=False, compiles=False, complaint="syntax")
        if verdict.status == "unknown":
            return Score(None, parses=True, compiles=None, complaint=verdict.reason)
        complaints = [e.message for e in verdict.errors] + [u.message for u in verdict.unfinished if u.final]
        if verdict.status == "error" or complaints:
            said = complaints[0] if complaints else "error"
            at = verdict.errors[0].insert_offset if verdict.errors else None
            value = BROKEN / max(1, len(complaints))
            return Score(value, parses=True, compiles=False, complaint=said, failing_offset=at)
        if text.strip() != hole.truth.strip() and is_trivial(hole, text):
            return Score(TRIVIAL, parses=True, compiles=True, trivial=True)
        tests = self._run_tests(hole, text) if self._run_tests is not None else None
        findings = self._lint(hole, text) if self._lint is not None else 0
        unidiomatic = _unidiomatic(hole, text)
        weights = self._weights
        value = COMPILES + weights.tests * (0.5 if tests is None else float(tests))
        value += weights.lint / (1 + findings) + weights.idiom / (1 + unidiomatic)
        return Score(value, True, True, tests=tests, findings=findings, unidiomatic=unidiomatic)


def _parses(hole: Hole, text: str) -> bool:
    """Whether the file parses with `text`, which stays inside of what the hole lies in."""
    root = parse(hole.filled(text)).root_node
    original = parse(hole.text.encode()).root_node
    if root.named_child_count != original.named_child_count:
        return False  # it closes its function and begins another
    return not has_error(root, hole.start, hole.start + len(text.encode("utf-8", "replace")))


def is_trivial(hole: Hole, text: str) -> bool:
    """Whether a text that compiles does nothing that anybody could have wanted there.

    A hole whose author himself left as little (`return nil`) is filled as well by other zero values.
    """
    if not text.strip():
        return bool(hole.truth.strip())
    inside = list(_whole_statements(hole, text))
    if not inside:
        return _is_comment(text) or _evades(text)
    source = hole.filled(text)
    idle = [_is_idle(node, source) for node in inside]
    if all(idle) or sum(_discards(node, source) for node in inside) * 2 > len(inside):
        original = parse(hole.text.encode())
        theirs = list(_within(original.root_node, hole.start, hole.end))
        return not theirs or not all(_is_idle(node, hole.text.encode()) for node in theirs)
    return _asserts(hole.truth) and not _asserts(text)


def _whole_statements(hole: Hole, text: str) -> Iterator[Node]:
    yield from _within(parse(hole.filled(text)).root_node, hole.start, hole.start + len(text.encode()))


def _within(root: Node, start: int, end: int) -> Iterator[Node]:
    """Outermost statements that lie wholly in bytes [start, end)."""
    for function in (node for node in root.children if node.start_byte < end and node.end_byte > start):
        taken = -1
        for node in walk(function):
            if node.start_byte >= max(start, taken) and node.end_byte <= end and _is_statement(node):
                taken = node.end_byte
                yield node


def _is_statement(node: Node) -> bool:
    return node.type.endswith("_statement") or node.type in ("short_var_declaration", "var_declaration")


def _is_idle(node: Node, source: bytes) -> bool:
    """Whether a statement only gives up, discards, or says zero."""
    said = source[node.start_byte : node.end_byte].decode("utf-8", "replace")
    if _evades(said) or _discards(node, source) or "".join(said.split()) in _ENDLESS:
        return True
    if node.type == "return_statement":
        values = [v for child in node.named_children for v in (child.named_children or [child]) if v.type != "comment"]
        return all(_is_zero(v, source) for v in values)
    if node.type == "if_statement":
        blocks = [b for b in walk(node) if b.type == "block"]
        inner = [one for block in blocks for one in statements(block)]
        return all(_is_idle(one, source) for one in inner)
    return node.type in ("empty_statement", "block") and not statements(node)


def _is_zero(node: Node, source: bytes) -> bool:
    """Whether a result says nothing: a zero value, an empty literal, or an error that is always the same."""
    said = source[node.start_byte : node.end_byte].decode("utf-8", "replace")
    body = node.child_by_field_name("body")
    empty = node.type == "composite_literal" and body is not None and not body.named_children
    return empty or said in _ZEROS or said.rpartition(".")[2].startswith("Err") or said.startswith("errors.New(")


def _evades(text: str) -> bool:
    said = text.strip()
    return said.startswith(("panic(", "os.Exit(", "t.Skip", "b.Skip", "log.Fatal", "runtime.Goexit("))


def _discards(node: Node, source: bytes) -> bool:
    left = node.child_by_field_name("left") if node.type == "assignment_statement" else None
    if left is None:
        return False
    called = [inner.child_by_field_name("function") for inner in walk(node) if inner.type == "call_expression"]
    return all(source[c.start_byte : c.end_byte] == b"_" for c in left.named_children) and all(
        f is not None and source[f.start_byte : f.end_byte] in _MEASURING for f in called
    )


def _asserts(text: str) -> bool:
    return any(f".{name}(" in text for name in _ASSERTING)


def _is_comment(text: str) -> bool:
    return all(not line.strip() or line.strip().startswith("//") for line in text.splitlines())


def _unidiomatic(hole: Hole, text: str) -> int:
    """Idiom findings on the text's lines."""
    filled = hole.filled(text)
    first = filled.count(b"\n", 0, hole.start) + 1
    last = first + text.count("\n")
    test = hole.path.name.endswith("_test.go")
    return sum(first <= line <= last for _, line, _ in idiom_findings(filled, test=test))
