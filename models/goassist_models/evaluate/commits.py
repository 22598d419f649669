"""What git knows of recent work: commits, the lines that they added, and the trees before them.

The source of history.py. The user's repository is only read: trees are written elsewhere through an index of our own,
no lock file, hook, filter for large files or working tree of theirs is touched. Uncommitted changes do not matter.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from goassist_index.errors import ConfigError, GoassistError

_TIMEOUT_S = 300
_HUNK = re.compile(rb"^@@ -\d+(?:,\d+)? \+(?P<first>\d+)(?:,(?P<count>\d+))? @@")
# The user's configuration must not change what we read, nor run anything of theirs.
_NEUTRAL: tuple[str, ...] = tuple(
    word
    for setting in (
        "core.autocrlf=false", "core.eol=lf", "core.fsmonitor=false", "core.hooksPath=/dev/null",
        "core.quotePath=false", "core.sparseCheckout=false", "core.splitIndex=false", "core.untrackedCache=false",
        "filter.lfs.process=", "filter.lfs.required=false", "filter.lfs.smudge=", "index.sparse=false",
    )
    for word in ("-c", setting)
)  # fmt: skip
_KEPT_VARIABLES = ("GIT_CONFIG", "GIT_EXEC_PATH")


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit with one parent. `time_s` is when it was committed, in seconds since 1970."""

    sha: str
    parent: str
    time_s: int
    subject: str


@dataclass(frozen=True, slots=True)
class Change:
    """One file of a commit, by paths from the top of the tree: `old` is "" for a new file, `new` for a deleted one."""

    old: str
    new: str
    old_blob: str
    new_blob: str


@dataclass(frozen=True, slots=True)
class Added:
    """Rows (0-based, of the new text) that a change added, and the lines that it removed, blanks at the ends off."""

    rows: frozenset[int]
    removed: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Repository:
    """A git repository, read only. `prefix` is the directory in it that was named, with a final slash, or ""."""

    git_dir: Path
    prefix: str
    head: str
    shallow: bool

    @classmethod
    def open(cls, directory: Path) -> Repository:
        """The repository that `directory` is, or lies in.

        Raises ConfigError for one that is none, or has no commit, or without git.
        """
        if not directory.is_dir():
            raise ConfigError("there is no such directory", path=str(directory), cure="Name a git repository")
        where = ["git", "-C", str(directory), "rev-parse"]
        found = _run([*where, "--absolute-git-dir", "--is-shallow-repository", "--is-inside-work-tree"])
        if found.returncode != 0:
            raise ConfigError(
                f"git cannot read it ({_words(found.stderr)})", path=str(directory), cure="Name a git repository"
            )
        git_dir, shallow, inside = found.stdout.decode().splitlines()
        prefix = _run([*where, "--show-prefix"]).stdout.decode().strip() if inside == "true" else ""
        head = _run([*where, "--verify", "--quiet", "HEAD^{commit}"])
        if head.returncode != 0:
            raise ConfigError("the repository has no commit", path=str(directory), cure="Name one with a history")
        return cls(Path(git_dir), prefix, head.stdout.decode().strip(), shallow == "true")

    def recent(self, limit: int) -> list[Commit]:
        """The latest commits that touch a Go file, newest first; merges, root commits and vendored code left out."""
        top = f":(top,glob){_literal(self.prefix)}"
        paths = [f"{top}**/*.go", *(f":(exclude,top,glob)**/{name}/**" for name in ("vendor", "testdata"))]
        form = ["--no-show-signature", "--no-notes", "--no-color", "-z", "--format=%H%x09%P%x09%ct%x09%s"]
        kind = ["--min-parents=1", "--max-parents=1", f"--max-count={limit}"]
        told = self._git("log", *form, *kind, self.head, "--", *paths)
        fields = (line.split("\t", 3) for line in told.decode("utf-8", "replace").split("\0") if line)
        return [Commit(sha, parent, int(time_s), subject) for sha, parent, time_s, subject in fields]

    def changes(self, commit: Commit) -> list[Change]:
        """All files that differ from the parent, renames followed; neither links nor submodules."""
        told = self._git("diff-tree", "-r", "-z", "--raw", "-M", "--no-abbrev", commit.parent, commit.sha)
        parts = iter(told.decode("utf-8", "replace").split("\0"))
        found = []
        for part in parts:
            if not part:
                continue
            old_mode, new_mode, old_blob, new_blob, status = part.removeprefix(":").split(" ")
            path = next(parts)
            old, new = (path, next(parts)) if status[0] in "RC" else (path, path)
            if all(mode[:3] in ("100", "000") for mode in (old_mode, new_mode)):
                found.append(
                    Change("" if status[0] == "A" else old, "" if status[0] == "D" else new, old_blob, new_blob)
                )
        return found

    def text(self, blob: str) -> bytes:
        """Contents of a file."""
        return self._git("cat-file", "blob", blob)

    def added(self, change: Change) -> Added:
        """What a change added and removed, line by line."""
        if not change.old:
            return Added(frozenset(range(self.text(change.new_blob).count(b"\n") + 1)), frozenset())
        if not change.new:
            return Added(frozenset(), frozenset(line.strip() for line in self.text(change.old_blob).splitlines()))
        plain = ["--no-ext-diff", "--no-textconv", "--no-color", "--text", "--diff-algorithm=histogram"]
        told = self._git("diff", *plain, "-U0", "--inter-hunk-context=0", change.old_blob, change.new_blob)
        rows: set[int] = set()
        removed: set[bytes] = set()
        begun = False
        for line in told.split(b"\n"):
            if hunk := _HUNK.match(line):
                begun = True
                first = int(hunk["first"]) - 1
                rows.update(range(first, first + int(hunk["count"] or 1)))
            elif begun and line.startswith(b"-"):
                removed.add(line[1:].strip())
        return Added(frozenset(rows), frozenset(removed))

    def check_out(self, commit: str, directory: Path) -> None:
        """Write a commit's tree into `directory`, over what lies there."""
        directory.mkdir(parents=True, exist_ok=True)
        index = directory.with_name(f"{directory.name}.index")
        own = {"GIT_INDEX_FILE": str(index)}
        tree = f"--work-tree={directory}"
        try:
            self._git("read-tree", commit, options=(tree,), directory=directory, environment=own)
            self._git("checkout-index", "-a", "-f", "-q", options=(tree,), directory=directory, environment=own)
        finally:
            index.unlink(missing_ok=True)

    def _git(
        self,
        *arguments: str,
        options: Sequence[str] = (),
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> bytes:
        command = ["git", f"--git-dir={self.git_dir}", *options, *_NEUTRAL, *arguments]
        done = _run(command, directory or self.git_dir, environment)
        if done.returncode != 0:
            raise GoassistError(f"git {arguments[0]} failed ({_words(done.stderr)})", path=str(self.git_dir))
        return done.stdout


def _run(
    command: Sequence[str], directory: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    if shutil.which("git") is None:
        raise ConfigError("no git is on PATH", cure="Install git; the history is read with it")
    # Variables that a hook or another git command sets would lead to another repository or index.
    own = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k.startswith(_KEPT_VARIABLES)}
    fixed = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
    env = {**own, **fixed, **(environment or {})}
    try:
        return subprocess.run(
            command, cwd=directory, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_S,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise GoassistError(f"git gave no answer within {_TIMEOUT_S} s", path=" ".join(command[:4])) from error


def _words(stderr: bytes) -> str:
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[0] if lines else "no word from it"


def _literal(path: str) -> str:
    """`path` for a glob pathspec, its special characters taken for themselves."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", path)
