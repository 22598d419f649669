"""Cases from a person's own git history: holes in lines that recent commits added, with the tree as it was before.

The buffer is a file as the commit left it, without the hole; on disk lies the parent's tree, with the parent's version
of that file (a new file has its package clause only). Kinds are those of ghost.py; a "block" is here a run of added
statements, a "body" that of a function that is new altogether. `eval history` asks about them.

Not covered: what is typed and changed again before it is committed, code in files with CRLF line ends, and workspaces
whose modules find each other through go.work alone.
"""

from __future__ import annotations

import random
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from goassist_index.errors import ConfigError, GoassistError
from goassist_index.gotools import go_binary
from goassist_index.syntax import function_name, is_generated, parse
from goassist_models.evaluate.added import AddedHole, added_holes
from goassist_models.evaluate.commits import Added, Change, Commit, Repository
from goassist_models.evaluate.example import Case, Question
from goassist_models.evaluate.ghost import GHOST_KINDS
from goassist_models.evaluate.judge import CompileJudge

HOLES_A_COMMIT = 2
# A commit that touches more is a move, a rename or a new header in every file: nobody typed it.
MAX_GO_FILES = 50
_MAX_FILE_BYTES = 400_000
_FILES_TRIED = 4
_NEW_SINCE_S = 1_719_792_000  # July 2024: later commits are not in the models' training
_MODULE_LINE = re.compile(rb"^module\s+\"?([^\s\"]+)", re.MULTILINE)
_NO_DEPENDENCY = re.compile(
    r"cannot find module|no required module|missing go\.sum entry|is not in std|module lookup disabled|"
    r"dial tcp|cannot query module|no such host|updates to go\.(mod|sum) needed|inconsistent vendoring"
)
_NEWER_GO = re.compile(r"requires go ?>=|requires newer Go|invalid go version")

ELSEWHERE = "needs another file of the same commit"
_UNBUILT = "in no package that is built on this machine"
_NO_MODULE = "in no module before the commit"


@dataclass(frozen=True, slots=True)
class _File:
    """A Go file as a commit left it."""

    change: Change
    source: bytes
    added: Added

    @property
    def path(self) -> str:
        return self.change.new


@dataclass(frozen=True, slots=True)
class HistoryCase:
    """`case` in `source`, a file's text as `commit` left it; `module` is its directory in the tree, "." for the top."""

    case: Case
    commit: Commit
    change: Change
    module: str
    source: bytes

    def question(self, root: Path) -> Question:
        """Ask for what stands in the hole; `root` is the module's directory in a tree from `tree_before`."""
        before = self.source[: self.case.start].decode("utf-8")
        behind = self.source[self.case.end :].decode("utf-8")
        return Question(root=root, path=root / self.case.file, text=before + behind, offset=len(before))


@dataclass(slots=True)
class History:
    """Cases, latest commit first. `discarded` counts files, or commits where it says so, by why they gave none."""

    repository: Repository
    cases: list[HistoryCase] = field(default_factory=list)
    discarded: Counter[str] = field(default_factory=Counter)
    looked_at: int = 0


def history_cases(
    directory: Path,
    scratch: Path,
    limit: int,
    seed: int,
    commits: int = 200,
    tell: Callable[[int, int], None] = lambda looked_at, kept: None,
) -> History:
    """Make up to `limit` cases of the latest `commits` commits that touch Go files, at most two of one commit.

    Commits are taken in an order that the seed gives, one hole of each before the second of any, the rarest kind
    first. Each truth compiles in its tree. Trees are written below `scratch` and removed again; `tell` hears how many
    commits have been looked at and how many cases there are. Same HEAD, arguments and toolchain, same cases.
    Raises ConfigError for what is no repository, GoassistError when there is no case in it.
    """
    go_binary()
    scratch = scratch.resolve()
    repository = Repository.open(directory)
    recent = repository.recent(commits)
    found = History(repository)
    if not recent:
        cure = "It is a shallow clone: fetch more of it (git fetch --deepen=200)" if repository.shallow else None
        raise GoassistError("no recent commit changes a Go file in it", path=str(directory), cure=cure)
    kinds: Counter[str] = Counter()
    spare: list[HistoryCase] = []
    for commit in random.Random(f"{seed} {repository.head} history").sample(recent, len(recent)):
        if len(found.cases) >= limit:
            break
        found.looked_at += 1
        made = _cases_of(found, commit, scratch, kinds, seed)
        found.cases += made[:1]
        spare += made[1:]
        kinds.update(made_one.case.kind for made_one in made[:1])
        tell(found.looked_at, len(found.cases))
    while spare and len(found.cases) < limit:
        spare.sort(key=lambda one: kinds[one.case.kind])
        kinds[spare[0].case.kind] += 1
        found.cases.append(spare.pop(0))
    if not found.cases:
        whys = ", ".join(f"{why} ({count})" for why, count in found.discarded.most_common(4)) or "no line was added"
        raise GoassistError(f"no case can be made of its last {len(recent)} commits: {whys}", path=str(directory))
    place = {commit.sha: number for number, commit in enumerate(recent)}
    found.cases.sort(key=lambda one: (place[one.commit.sha], one.case.file, one.case.start))
    return found


@contextmanager
def tree_before(repository: Repository, case: HistoryCase, directory: Path) -> Iterator[Path]:
    """The parent's tree in `directory` while it lasts; gives the module's directory in it."""
    directory = directory.resolve()
    try:
        repository.check_out(case.commit.parent, directory)
        with _placed(directory, case.change, case.source):
            yield directory / case.module
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def judge_of(module: Path, file: str) -> CompileJudge:
    """Judge of the package of `file` (relative to the module's directory); raises GoassistError when there is none."""
    folder = PurePosixPath(file).parent
    return CompileJudge.open(module, (f"./{folder}",))


def _cases_of(found: History, commit: Commit, scratch: Path, kinds: Counter[str], seed: int) -> list[HistoryCase]:
    """Up to two cases of one commit, of different functions; what stood in the way is counted."""
    try:
        changes = found.repository.changes(commit)
        files = _files(found, changes)
    except GoassistError as error:
        found.discarded[f"commits that cannot be read: {error.what}"] += 1
        return []
    rng = random.Random(f"{seed} {commit.sha}")
    removed = _removed(found.repository, changes) if files else frozenset()
    holes = {file.path: added_holes(file.source, file.added, removed) for file in files}
    found.discarded["no line added in a function"] += sum(not of_file for of_file in holes.values())
    if not any(holes.values()):
        return []
    tree = scratch / commit.sha[:12]
    try:
        found.repository.check_out(commit.parent, tree)
        bench = _Bench(found, commit, changes, tree)
        made: list[HistoryCase] = []
        by_path = {file.path: file for file in files}
        while len(made) < HOLES_A_COMMIT and any(holes.values()) and len(bench.refused) < _FILES_TRIED:
            path, hole = _pick(holes, kinds + Counter(one.case.kind for one in made), rng)
            case = bench.case(by_path[path], hole)
            if case is None:
                holes[path] = []
                continue
            made.append(case)
            holes[path] = [other for other in holes[path] if other.node != hole.node]
        bench.explain()
        return made
    except ConfigError:
        raise
    except GoassistError as error:
        found.discarded[f"commits that cannot be checked out: {error.what}"] += 1
        return []
    finally:
        shutil.rmtree(tree, ignore_errors=True)


def _files(found: History, changes: list[Change]) -> list[_File]:
    """The commit's Go files that a person has written."""
    repository = found.repository
    own = [change for change in changes if _is_own(change.new, repository.prefix)]
    if len(own) > MAX_GO_FILES:
        found.discarded[f"commits that change more than {MAX_GO_FILES} Go files"] += 1
        return []
    files = []
    for change in own:
        source = repository.text(change.new_blob)
        if why := _unfit(source):
            found.discarded[why] += 1
            continue
        files.append(_File(change, source, repository.added(change)))
    return files


def _is_own(path: str, prefix: str) -> bool:
    folders = path.split("/")[:-1]
    named = path.endswith(".go") and path.startswith(prefix) and "\ufffd" not in path  # no UTF-8
    return named and not {"vendor", "testdata"} & set(folders)


def _unfit(source: bytes) -> str:
    if is_generated(source):
        return "generated"
    if len(source) > _MAX_FILE_BYTES:
        return f"larger than {_MAX_FILE_BYTES // 1000} kB"
    try:
        source.decode("utf-8")
    except UnicodeDecodeError:
        return "not UTF-8"
    if b"\r" in source:
        return "CRLF line ends"
    return "not Go that can be parsed" if parse(source).root_node.has_error else ""


def _removed(repository: Repository, changes: list[Change]) -> frozenset[bytes]:
    """Lines that the commit removed from Go files: when they are added elsewhere, they were moved, not written."""
    go = [change for change in changes if change.old.endswith(".go")]
    return frozenset().union(*(repository.added(change).removed for change in go[: MAX_GO_FILES * 2]))


def _pick(holes: dict[str, list[AddedHole]], kinds: Counter[str], rng: random.Random) -> tuple[str, AddedHole]:
    """A hole of the kind that there are fewest of so far, the scarcer kind first; functions are equally likely."""
    offered = {hole.kind for of_file in holes.values() for hole in of_file}
    kind = min(offered, key=lambda name: (kinds[name], -GHOST_KINDS.index(name)))
    places: dict[tuple[str, int], list[AddedHole]] = {}
    for path, of_file in holes.items():
        for hole in of_file:
            if hole.kind == kind:
                places.setdefault((path, hole.node.start_byte), []).append(hole)
    place = rng.choice(list(places))
    return place[0], rng.choice(places[place])


@dataclass(slots=True)
class _Bench:
    """The tree before a commit, in which files as the commit left them are compiled, each by itself."""

    found: History
    commit: Commit
    changes: list[Change]
    tree: Path
    modules: dict[str, str | None] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def case(self, file: _File, hole: AddedHole) -> HistoryCase | None:
        """The hole as a case, None when the file does not compile here."""
        if file.path not in self.modules:
            self.modules[file.path] = self._compiled_in(file)
        module = self.modules[file.path]
        if module is None:
            return None
        name = _MODULE_LINE.search((self.tree / module / "go.mod").read_bytes())
        case = Case(
            module=f"{name[1].decode('utf-8', 'replace') if name else module}@{self.commit.sha[:12]}",
            file=_below(module, file.path),
            kind=hole.kind,
            role=hole.role,
            function=function_name(hole.node, file.source),
            new=self.commit.time_s >= _NEW_SINCE_S,
            start=hole.start,
            end=hole.end,
            function_start=hole.node.start_byte,
            function_end=hole.node.end_byte,
            truth=file.source[hole.start : hole.end].decode("utf-8"),
        )
        return HistoryCase(case, self.commit, file.change, module, file.source)

    def explain(self) -> None:
        """Count the files that did not compile by why; the tree is the commit's own afterwards."""
        if not self.refused:
            return
        self.found.repository.check_out(self.commit.sha, self.tree)
        for change in self.changes:
            if change.old and change.old != change.new:
                (self.tree / change.old).unlink(missing_ok=True)
        for path, output in self.refused.items():
            module = _module_of(self.tree, path)
            ok = module is not None and not _complaint(self.tree, module, path, None)
            self.found.discarded[ELSEWHERE if ok else _why(output)] += 1

    def _compiled_in(self, file: _File) -> str | None:
        """The module that the file compiles in, None when there is none."""
        module = _module_of(self.tree, file.path)
        if module is None:
            self.found.discarded[_NO_MODULE] += 1
            return None
        with _placed(self.tree, file.change, file.source):
            before = (self.tree / file.path).read_bytes()
            if _head(before) != _head(file.source):
                self.found.discarded["its build constraints were changed"] += 1
                return None
            output = _complaint(self.tree, module, file.path, file.source)
        if output:
            self.refused[file.path] = output
        return None if output else module


def _complaint(tree: Path, module: str, path: str, source: bytes | None) -> str:
    """What is wrong with a file's package with `source` in its place (None: what lies there), "" when it compiles."""
    root = (tree / module).resolve()
    file = root / _below(module, path)
    try:
        judge = judge_of(root, _below(module, path))
        package = judge.package_of(file)
    except ConfigError:
        raise
    except GoassistError as error:
        return f"{_UNBUILT}: {error.what}"
    build = judge.build_tests if file.name.endswith("_test.go") else judge.build
    judgement = build(package, {} if source is None else {file: source})
    return "" if judgement.ok else judgement.output or "no word from the compiler"


def _why(output: str) -> str:
    if output.startswith(_UNBUILT):
        return _UNBUILT
    if _NEWER_GO.search(output):
        return "its go.mod asks for a newer Go"
    return "its dependencies cannot be had" if _NO_DEPENDENCY.search(output) else "does not build"


def _module_of(tree: Path, path: str) -> str | None:
    """Directory of the nearest go.mod at or above a file, within the tree."""
    for folder in PurePosixPath(path).parents:
        if (tree / folder / "go.mod").is_file():
            return str(folder)
    return None


def _below(module: str, path: str) -> str:
    return str(PurePosixPath(path).relative_to(module))


def _head(source: bytes) -> list[bytes]:
    """The build constraints of a file."""
    above = source.partition(b"\npackage ")[0]
    return [line.strip() for line in above.splitlines() if line.startswith((b"//go:build", b"// +build"))]


@contextmanager
def _placed(tree: Path, change: Change, source: bytes) -> Iterator[None]:
    """The parent's version of a file at its place after the commit; of a new file what stands above its imports."""
    new = tree / change.new
    if change.old == change.new:
        yield
        return
    new.parent.mkdir(parents=True, exist_ok=True)
    if change.old:
        (tree / change.old).replace(new)
    else:
        clause = next(node for node in parse(source).root_node.children if node.type == "package_clause")
        new.write_bytes(source[: clause.end_byte] + b"\n")
    try:
        yield
    finally:
        if change.old:
            new.replace(tree / change.old)
        else:
            new.unlink()
