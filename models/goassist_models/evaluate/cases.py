"""Verdict cases: a piece of real Go taken out of a function, and what is put in its place, good or with one fault.

Made from holes.py and faults.py, confirmed by judge.py; `bench verdicts` asks the type service about each.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

from tree_sitter import Node, Tree

from goassist_index.errors import GoassistError
from goassist_index.gotools import GoPackage
from goassist_index.syntax import functions, is_generated, parse
from goassist_models.evaluate.faults import FAULTS, edits
from goassist_models.evaluate.holes import Hole, holes
from goassist_models.evaluate.judge import CompileJudge, errors_within

GOOD = ""
_MAX_FILE_BYTES = 400_000
_PIECE_SHARES = {"statement": 0.4, "expression": 0.4, "body": 0.2}
_JUDGE_THREADS = 2
_TRIES_A_CASE = 40


@dataclass(frozen=True, slots=True)
class Case:
    """`insert` in place of bytes [offset, end) of `file` as it is on disk. `fault` is "" where it must be ok.

    `truth` is what stands there on disk, `judge` the compiler's first message about the fault.
    """

    module: str
    file: str
    offset: int
    end: int
    insert: str
    truth: str
    piece: str
    role: str
    fault: str
    judge: str

    @property
    def good(self) -> bool:
        """Whether the right verdict is "ok"."""
        return self.fault == GOOD


@dataclass(slots=True)
class CaseSet:
    """Cases of one module. `discarded` counts proposals by why they were not kept."""

    module: str
    cases: list[Case] = field(default_factory=list)
    discarded: Counter[str] = field(default_factory=Counter)
    refused_packages: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Function:
    package: GoPackage
    file: Path
    source: bytes
    tree: Tree
    node: Node


def make_cases(
    judge: CompileJudge, module: str, limit: int, seed: int, tell: Callable[[int], None] = lambda made: None
) -> CaseSet:
    """Make up to `limit` good and `limit` broken cases, the faults spread evenly. `tell` hears how many there are.

    Same files, limit and seed give the same cases. Raises GoassistError when no function can be used.
    """
    rng = random.Random(f"{seed} {module}")
    made = CaseSet(module)
    pool = _functions(judge)
    if not pool:
        raise GoassistError("no function in it can be used for cases", path=module)
    rng.shuffle(pool)
    _add_good(made, judge, pool, limit, rng)
    tell(len(made.cases))
    with ThreadPoolExecutor(_JUDGE_THREADS) as threads:
        for number, kind in enumerate(FAULTS):
            wanted = limit * (number + 1) // len(FAULTS) - limit * number // len(FAULTS)
            made.cases.extend(_broken(made, judge, pool, kind, wanted, rng, threads))
            tell(len(made.cases))
    made.cases.sort(key=lambda case: (case.file, case.offset, case.fault))
    return made


def write_cases(path: Path, cases: Iterable[Case]) -> None:
    """Write cases as JSON lines, each of them a request of `check --jsonl` with more fields."""
    path.write_text("".join(json.dumps(asdict(case)) + "\n" for case in cases), encoding="utf-8")


def read_cases(path: Path) -> list[Case]:
    """Read what `write_cases` wrote. Raises GoassistError for a line that is no case."""
    cases = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            value = json.loads(line)
            cases.append(Case(**{name: value[name] for name in Case.__dataclass_fields__}))
        except (ValueError, KeyError, TypeError) as error:
            raise GoassistError(f"line {number} is no case ({error})", path=str(path)) from error
    return cases


def _functions(judge: CompileJudge) -> list[_Function]:
    pool: list[_Function] = []
    for package in judge.packages:
        for path in (*package.go_files, *package.cgo_files):
            source = path.read_bytes()
            if len(source) > _MAX_FILE_BYTES or is_generated(source) or not _is_utf8(source):
                continue
            tree = parse(source)
            if not tree.root_node.has_error:
                pool.extend(_Function(package, path, source, tree, node) for node in functions(tree))
    return pool


def _is_utf8(source: bytes) -> bool:
    try:
        source.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _usable(made: CaseSet, judge: CompileJudge, function: _Function) -> bool:
    """Whether the truth is one: the judge accepts the package as it is on disk."""
    if judge.accepts_untouched(function.package):
        return True
    if function.package.import_path not in made.refused_packages:
        made.refused_packages.append(function.package.import_path)
    return False


def _add_good(made: CaseSet, judge: CompileJudge, pool: list[_Function], limit: int, rng: random.Random) -> None:
    used: set[tuple[Path, int, int]] = set()
    roles: Counter[str] = Counter()
    wanted = {piece: int(limit * share) for piece, share in _PIECE_SHARES.items()}
    wanted["statement"] += limit - sum(wanted.values())
    for function in _cycle(pool, limit * _TRIES_A_CASE):
        piece = max(wanted, key=lambda name: wanted[name])
        if wanted[piece] <= 0:
            return
        fresh = [h for h in holes(function.node) if h.piece == piece and (function.file, h.start, h.end) not in used]
        if not fresh or not _usable(made, judge, function):
            continue
        # The rarest role first, so that composite literals and conditions are not drowned by arguments.
        least = min(roles[h.role] for h in fresh)
        hole = rng.choice([h for h in fresh if roles[h.role] == least])
        used.add((function.file, hole.start, hole.end))
        roles[hole.role] += 1
        wanted[piece] -= 1
        truth = function.source[hole.start : hole.end]
        made.cases.append(_case(made.module, function, hole, truth, GOOD, ""))


def _broken(
    made: CaseSet, judge: CompileJudge, pool: list[_Function], kind: str, wanted: int, rng: random.Random,
    threads: ThreadPoolExecutor,
) -> list[Case]:  # fmt: skip
    found: list[Case] = []
    proposals = (p for p in _proposals(pool, kind, wanted, rng) if _usable(made, judge, p[0]))
    while len(found) < wanted:
        batch = list(islice(proposals, max(_JUDGE_THREADS, wanted - len(found))))
        if not batch:
            made.discarded[f"{kind}: too few places"] += wanted - len(found)
            break
        for (function, hole, insert), message in zip(
            batch, threads.map(lambda p: _confirm(judge, *p), batch), strict=True
        ):
            if message is None:
                made.discarded[f"{kind}: compiles, or breaks elsewhere"] += 1
            elif len(found) < wanted:
                found.append(_case(made.module, function, hole, insert, kind, message))
    return found


def _proposals(
    pool: list[_Function], kind: str, wanted: int, rng: random.Random
) -> Iterator[tuple[_Function, Hole, bytes]]:
    """Pieces with one fault each, no two of them alike; they end when enough tries brought nothing new."""
    order = pool.copy()
    rng.shuffle(order)
    seen: set[tuple[Path, int, bytes]] = set()
    for function in _cycle(order, wanted * _TRIES_A_CASE):
        candidates = list(holes(function.node))
        rng.shuffle(candidates)
        pieces = rng.sample(list(_PIECE_SHARES), len(_PIECE_SHARES))
        candidates.sort(key=lambda hole: pieces.index(hole.piece))
        for hole in candidates[:12]:
            found = edits(kind, function.tree.root_node, function.source, hole.start, hole.end, rng)
            if not found:
                continue
            insert = found[0].apply(function.source, hole.start, hole.end)
            if (function.file, hole.start, insert) not in seen:
                seen.add((function.file, hole.start, insert))
                yield function, hole, insert
                break


def _confirm(judge: CompileJudge, function: _Function, hole: Hole, insert: bytes) -> str | None:
    """The compiler's first message inside the inserted text, or None where the fault is none (there)."""
    source = function.source
    text = source[: hole.start] + insert + source[hole.end :]
    judgement = judge.judge(function.package, {function.file: text})
    if judgement.ok:
        return None
    first = source.count(b"\n", 0, hole.start) + 1
    inside = errors_within(judgement, function.file, first, first + insert.count(b"\n"))
    if inside:
        return inside[0].message
    # A bracket too many or too few is often noticed only where the function or the file ends.
    syntax = [error for error in judgement.errors if error.message.startswith("syntax error")]
    return syntax[0].message if syntax else None


def _case(module: str, function: _Function, hole: Hole, insert: bytes, fault: str, message: str) -> Case:
    return Case(
        module=module,
        file=str(function.file),
        offset=hole.start,
        end=hole.end,
        insert=insert.decode("utf-8"),
        truth=function.source[hole.start : hole.end].decode("utf-8"),
        piece=hole.piece,
        role=hole.role,
        fault=fault,
        judge=message,
    )


def _cycle(pool: list[_Function], tries: int) -> Iterator[_Function]:
    for number in range(tries):
        yield pool[number % len(pool)]
