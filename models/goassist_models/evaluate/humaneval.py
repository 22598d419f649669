"""HumanEval-X, its Go part: problems from a file that is not ours, a verdict on a body, pass@k.

The benchmark is Zheng et al., CodeGeeX (2023); its data file is given by the user. A problem is judged as its own
evaluation does (codegeex/benchmark/humaneval-x/evaluate_humaneval_x.py): one test file of the test's set-up, the
prompt without its imports, what was generated, the tests; of ten packages, those that the code uses are imported.
So an import is neither asked of the model nor held against it, and any other package does not compile.
Different here: a package counts as used where code or test select from it (there: where its name and a point stand
in the code, comments too, so that four tests do not compile beside right code that has no use for their package);
the language is Go 1.23 (there 1.18); vet is off; time is counted for the test alone.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import random
import tempfile
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from goassist_index.errors import ConfigError, GoassistError
from goassist_index.gotools import run_go
from goassist_index.scan import tokens
from goassist_index.syntax import parse, walk
from goassist_models.evaluate.sandbox import Limits, run

DATA_VARIABLE = "GOASSIST_HUMANEVAL_X"
Verdict = Literal["passed", "does not compile", "fails", "times out"]

# What the benchmark imports by itself where the code uses it.
PACKAGES = ("math", "strings", "fmt", "strconv", "time", "bytes", "regexp", "sort", "math/rand", "crypto/md5")
TESTIFY = "github.com/stretchr/testify"
TESTIFY_VERSION = "v1.11.1"
_GO_MOD = "module humaneval\n\ngo 1.23\n"
_CLAUSE = "package main\n\n"
_INDENT = "\t"
# Compiling runs nothing of the module: no cgo, no generators, no tool of its own.
_COMPILE = ("test", "-c", "-vet=off", "-trimpath", "-ldflags=-s -w", "-o")
_OFFLINE = {"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-mod=readonly", "GOPROXY": "off"}
_LIMITS = Limits(wall_s=10.0)
_DETAIL_CHARS = 600


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem. `prompt` ends with the line that opens the function; `solution` is the author's, with its brace.

    `test` judges; `example_test` has the description's examples, which whoever answers may see ("" for none).
    """

    name: str
    prompt: str
    solution: str
    test: str
    test_setup: str
    example_test: str = ""

    @property
    def slug(self) -> str:
        """The name as a directory's."""
        return "".join(c if c.isalnum() else "_" for c in self.name.lower())


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one body, the compiler's or the test's own words, and seconds: compiling and linking, running."""

    verdict: Verdict
    detail: str = ""
    compile_s: float = 0.0
    run_s: float = 0.0


def data_file(named: Path | None) -> Path:
    """The data file: as named, else by the environment. Raises ConfigError when it is not named or not there."""
    path = named or (Path(os.environ[DATA_VARIABLE]) if os.environ.get(DATA_VARIABLE) else None)
    if path is None:
        raise ConfigError(
            "no data file is named",
            cure=f"Give humaneval_go.jsonl.gz of THUDM/CodeGeeX by --data, or by {DATA_VARIABLE}",
        )
    if not path.is_file():
        raise ConfigError("there is no such data file", path=str(path), cure=f"Check --data or {DATA_VARIABLE}")
    return path


def read_problems(path: Path) -> tuple[Problem, ...]:
    """All problems of a data file, JSON lines, compressed or not. Raises GoassistError for anything else."""
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode()
        rows = [json.loads(line) for line in text.split("\n") if line.strip()]
        problems = tuple(
            Problem(
                row["task_id"],
                row["prompt"],
                row["canonical_solution"],
                row["test"],
                row["test_setup"],
                row.get("example_test", ""),
            )
            for row in rows
        )
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise GoassistError(
            f"it is no file of HumanEval-X problems ({type(error).__name__}: {error})",
            path=str(path),
            cure="Give humaneval_go.jsonl.gz of THUDM/CodeGeeX",
        ) from error
    if not problems:
        raise GoassistError("there is no problem in it", path=str(path))
    return problems


def chosen(problems: Sequence[Problem], limit: int | None, seed: int) -> list[Problem]:
    """As many as `limit` says, chosen by the seed, in their order; all without one."""
    if limit is None or limit >= len(problems):
        return list(problems)
    numbers = set(random.Random(seed).sample(range(len(problems)), max(limit, 0)))
    return [problem for number, problem in enumerate(problems) if number in numbers]


def opened(problem: Problem) -> tuple[str, int]:
    """The file as a user has it who is to write the body, and the cursor's offset in it (code points)."""
    head = _head(problem)
    return f"{head}{_INDENT}\n}}\n", len(head) + len(_INDENT)


def body_of(problem: Problem, text: str) -> str:
    """What stands behind the prompt in `text`, a file made from `opened`: a body with its closing brace."""
    return text[len(_head(problem)) :]


def body_with(text: str) -> str:
    """The body, with its closing brace, that is there when `text` was put at the cursor of `opened`."""
    return f"{_INDENT}{text}\n}}\n"


def _head(problem: Problem) -> str:
    return f"{_CLAUSE}{problem.prompt.rstrip()}\n"


def end_of_function(text: str) -> int | None:
    """Offset in a body's text of the brace that closes the function: there the benchmark ends a generation."""
    depth = 0
    for token in tokens(text):
        if token.kind == "open" and token.text == "{":
            depth += 1
        elif token.kind == "close" and token.text == "}":
            if depth == 0:
                return token.start
            depth -= 1
    return None


def prepare(cache: Path, problems: Sequence[Problem]) -> Path:
    """Directory of the module that bodies are compiled in, below `cache`; its dependencies in the module cache.

    Raises GoassistError when they cannot be had.
    """
    needs_testify = any(TESTIFY in problem.test_setup for problem in problems)
    name = f"testify-{TESTIFY_VERSION}" if needs_testify else "plain"
    directory = cache / "eval" / "humaneval-x" / name
    if directory.is_dir():
        return directory
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent) as scratch:
        made = Path(scratch) / "module"
        made.mkdir()
        (made / "go.mod").write_text(_GO_MOD)
        if needs_testify:
            result = run_go(["get", f"{TESTIFY}/assert@{TESTIFY_VERSION}"], made, environment={"GOWORK": "off"})
            if not result.ok:
                raise GoassistError(
                    f"it cannot be downloaded ({result.output.strip()[-200:]})",
                    path=f"{TESTIFY}@{TESTIFY_VERSION}",
                    cure="Check the network (GOPROXY)",
                )
        try:
            made.rename(directory)
        except OSError:
            if not directory.is_dir():  # another process was quicker
                raise
    return directory


def verdict(problem: Problem, body: str, module: Path, limits: Limits = _LIMITS) -> Judgement:
    """Compile and test `body`, all that stands behind the prompt, in the directory that `prepare` made.

    Thread-safe. Raises GoassistError when the compiler or the sandbox themselves fail.
    """
    with tempfile.TemporaryDirectory(prefix="p", dir=module) as package, tempfile.TemporaryDirectory() as box:
        Path(package, "problem_test.go").write_text(assembled(problem, body), encoding="utf-8")
        begun_s = time.perf_counter()
        built = run_go(
            [*_COMPILE, str(Path(box, "problem.test")), f"./{Path(package).name}"], module, environment=_OFFLINE
        )
        compile_s = time.perf_counter() - begun_s
        if not built.ok:
            complaints = [_bare(line, package) for line in built.output.splitlines() if ".go:" in line]
            if not complaints:
                raise GoassistError(f"go test -c failed ({built.output.strip()[-300:]})", path=problem.name)
            return Judgement("does not compile", "\n".join(complaints)[:_DETAIL_CHARS], compile_s)
        outcome = run(["problem.test"], Path(box), limits)
    passed = outcome.ok and outcome.output.rstrip().endswith("PASS")
    found: Verdict = "times out" if outcome.stopped == "wall clock" else "passed" if passed else "fails"
    detail = "" if passed else _bare(outcome.output.strip(), package)[:_DETAIL_CHARS]
    return Judgement(found, detail, compile_s, outcome.wall_s)


def _bare(text: str, package: str) -> str:
    """The compiler's or a test's words without the name of the directory, which no two runs share."""
    return text.replace(f"{Path(package).name}/", "")


def assembled(problem: Problem, body: str) -> str:
    """The one file that is compiled."""
    code = _without_imports(f"{problem.prompt.rstrip()}\n{body}")
    there = _imports(problem.test_setup)
    used = selected(f"{code}\n{problem.test}")
    extra = [name for name in PACKAGES if name not in there and name.rpartition("/")[2] in used]
    imports = "".join(f'import "{name}"\n' for name in extra)
    return f"{problem.test_setup.rstrip()}\n\n{imports}\n{code}\n{problem.test}"


def imports_to_mend(problem: Problem, body: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Packages that the file as the user has it would have to import for `body`, and imports that would be unused."""
    code = f"{problem.prompt.rstrip()}\n{body}"
    there, used = _imports(_CLAUSE + code), selected(code)
    missing = tuple(n for n in PACKAGES if n not in there and n.rpartition("/")[2] in used)
    return missing, tuple(sorted(n for n in there if n.rpartition("/")[2] not in used))


def _imports(text: str) -> set[str]:
    nodes = walk(parse(text.encode()).root_node)
    paths = (node.child_by_field_name("path") for node in nodes if node.type == "import_spec")
    return {path.text.decode().strip('"`') for path in paths if path is not None and path.text is not None}


def _without_imports(code: str) -> str:
    data = (_CLAUSE + code).encode()
    nodes = [node for node in walk(parse(data).root_node) if node.type == "import_declaration"]
    for node in reversed(nodes):
        data = data[: node.start_byte] + data[node.end_byte :]
    return data.decode()[len(_CLAUSE) :]


def leaving_out(text: str, paths: Collection[str]) -> str:
    """A file without its imports of these packages; a declaration that has no other goes as a whole."""
    data = text.encode()
    nodes = [node for node in walk(parse(data).root_node) if node.type in ("import_declaration", "import_spec")]
    cut: list[tuple[int, int]] = []
    for node in nodes:
        specs = [node] if node.type == "import_spec" else [n for n in walk(node) if n.type == "import_spec"]
        barred = all((one.text or b"").decode().rpartition(" ")[2].strip('"`') in paths for one in specs)
        if barred and not (cut and node.end_byte <= cut[-1][1]):  # not inside of what goes as a whole
            cut.append((data.rfind(b"\n", 0, node.start_byte) + 1, data.find(b"\n", node.end_byte) + 1))
    for start, end in reversed(cut):
        data = data[:start] + data[end:]
    return data.decode()


def selected(code: str) -> set[str]:
    """Names that something is selected from: packages among them."""
    found: set[str] = set()
    for node in walk(parse((_CLAUSE + code).encode()).root_node):
        field = {"selector_expression": "operand", "qualified_type": "package"}.get(node.type)
        operand = node.child_by_field_name(field) if field else None
        if operand is not None and operand.type in ("identifier", "package_identifier") and operand.text is not None:
            found.add(operand.text.decode())
    return found


def pass_at_k(passed: int, drawn: int, k: int) -> float:
    """Chance that at least one of `k` out of `drawn` answers passes, given that `passed` of them do.

    The unbiased estimator of Chen et al., Evaluating Large Language Models Trained on Code (2021), section 2.1.
    Raises ValueError unless 0 <= passed <= drawn and 1 <= k <= drawn.
    """
    if not (0 <= passed <= drawn and 1 <= k <= drawn):
        raise ValueError(f"pass@{k} of {passed} in {drawn}")
    return 1.0 - math.comb(drawn - passed, k) / math.comb(drawn, k)
