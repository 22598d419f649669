"""How well a model foretells held-out Go, in bits a byte: the less, the better. By infill form and kind of hole.

Held out are exported functions and methods that the standard library has got since Go 1.24 (February 2025), after the
models of the registry were trained. What is not covered: some of that code was public in golang.org/x before, and
functions of one file may be much alike. A byte is the unit, since models differ in what a token is to them.
"""

from __future__ import annotations

import hashlib
import random
import re
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goassist_index.errors import ConfigError, GoassistError
from goassist_index.gotools import run_go
from goassist_index.syntax import functions, is_generated, parse
from goassist_models.evaluate.example import Answer, Case, Example, Question
from goassist_models.evaluate.ghost import Place, question, spans
from goassist_models.evaluate.holes import holes
from goassist_models.evaluate.keystrokes import bootstrap_95
from goassist_models.evaluate.report.statistics import Estimate
from goassist_models.evaluate.runs import Run
from goassist_models.infill import FORMS, InfillPrompt

if TYPE_CHECKING:
    from goassist_models.engine.sequence import ScoredText

KINDS = ("line", "block", "body")
UNHEALED = "-unhealed"
FIRST_RELEASE = 24
MIN_BODY_LINES = 3
MAX_BODY_LINES = 30
# A line of api/go1.N.txt, as "pkg os, method (*Root) Mkdir(string, fs.FileMode) error #67002". What exists on some
# platforms alone has them in brackets behind the package, and is left aside.
_ADDED = re.compile(r"^pkg (?P<package>[^ ,]+), (?:func |method \(\*?(?P<type>\w+)[^)]*\) )(?P<name>\w+)[(\[]")

Scorer = Callable[[InfillPrompt, str], "Awaitable[ScoredText]"]
Builder = Callable[[Question, str], InfillPrompt]


def form_names() -> tuple[str, ...]:
    """All forms, each healed one followed by itself without healing: the two share what was read."""
    pairs = ((name, *([name + UNHEALED] if form.healed else [])) for name, form in FORMS.items())
    return tuple(name for pair in pairs for name in pair)


def go_root() -> tuple[Path, str]:
    """The Go distribution's directory and version, as "go1.26.1"."""
    answer = run_go(["env", "GOROOT", "GOVERSION"], Path.cwd())
    words = answer.stdout.split("\n")
    if not answer.ok or not words[0]:
        raise ConfigError(f"`go env GOROOT` names nothing ({answer.output.strip()})", cure="Install Go")
    return Path(words[0]), words[1]


def added(goroot: Path) -> dict[str, frozenset[str]]:
    """Names that each package has got since Go 1.24, methods as Type.Name.

    Raises GoassistError when the distribution does not say what its releases added.
    """
    found: dict[str, set[str]] = defaultdict(set)
    lists = [path for path in (goroot / "api").glob("go1.*.txt") if _release(path) >= FIRST_RELEASE]
    if not lists:
        raise GoassistError(
            f"this Go distribution has no list of what releases from 1.{FIRST_RELEASE} on added",
            path=str(goroot / "api"),
            cure="Use a Go of a later release with its whole distribution, as from https://go.dev/dl",
        )
    for path in lists:
        for line in path.read_text(encoding="utf-8").splitlines():
            match = _ADDED.match(line)
            if match and "//deprecated" not in line:
                found[match["package"]].add(f"{match['type']}.{match['name']}" if match["type"] else match["name"])
    return {package: frozenset(names) for package, names in found.items()}


def _release(path: Path) -> int:
    number = path.name.removeprefix("go1.").removesuffix(".txt")
    return int(number) if number.isdigit() else 0


def held_out(goroot: Path) -> list[Place]:
    """Functions that were added, with bodies of 3 to 30 lines, in the order of packages and files."""
    places: list[Place] = []
    for package, names in sorted(added(goroot).items()):
        for path in sorted((goroot / "src" / package).glob("*.go")):
            if path.name.endswith("_test.go"):
                continue
            source = path.read_bytes()
            if is_generated(source):
                continue
            for node in functions(parse(source)):
                place = Place(path, source, node, new=True)
                body = node.child_by_field_name("body")
                lines = body.end_point[0] - body.start_point[0] - 1 if body is not None else 0
                if place.name in names and MIN_BODY_LINES <= lines <= MAX_BODY_LINES and not node.has_error:
                    places.append(place)
    return places


def perplexity_cases(goroot: Path, version: str, limit: int, seed: int) -> list[Case]:
    """Up to `limit` holes, the kinds in turn: one a function while there are functions, then others of the same.

    The same Go, limit and seed give the same cases. Files are relative to the distribution's src.
    """
    source_root = goroot / "src"
    places = held_out(goroot)
    places.sort(key=lambda p: _digest(seed, str(p.path.relative_to(source_root)), p.name))
    chosen: list[Case] = []
    for turn in range(len(KINDS)):
        for number, place in enumerate(places):
            kind = KINDS[(number + turn) % len(KINDS)]
            offered = list(_spans(kind, place))
            if offered and len(chosen) < limit:
                name = str(place.path.relative_to(source_root).as_posix())
                role, start, end = random.Random(_digest(seed, name, place.name)).choice(offered)
                chosen.append(_case(f"std@{version}", name, kind, role, place, start, end))
    return chosen


def _digest(seed: int, *words: str) -> str:
    return hashlib.sha256("\0".join((str(seed), *words)).encode()).hexdigest()


def _spans(kind: str, place: Place) -> Iterator[tuple[str, int, int]]:
    if kind == "body":  # longer ones than infill asks for: nothing has to be generated here
        yield from ((hole.role, hole.start, hole.end) for hole in holes(place.node) if hole.piece == "body")
    else:
        yield from spans("line" if kind == "line" else "block", place)


def _case(module: str, file: str, kind: str, role: str, place: Place, start: int, end: int) -> Case:
    node = place.node
    truth = place.source[start:end].decode("utf-8")
    return Case(module, file, kind, role, place.name, True, start, end, node.start_byte, node.end_byte, truth)


def formed(prompt: InfillPrompt, name: str) -> InfillPrompt:
    """`prompt` in the form that `name` says, healed or not."""
    if name.endswith(UNHEALED):
        return replace(prompt, form=replace(prompt.form, name=name, healed=False))
    return prompt


async def measure(
    run: Run,
    model: str,
    score: Scorer,
    build: Builder,
    cases: Sequence[Case],
    forms: Sequence[str],
    source_root: Path,
    tell: Callable[[int, Case], None] = lambda number, case: None,
) -> Run:
    """Score every case in every form that the run does not hold yet, and keep each as an Example of "MODEL FORM".

    `build` makes the prompt of a place as it is served. What failed before is tried again; a failure is kept as such.
    """
    kept = {}
    for form in forms:
        run = run.describe(f"{model} {form}", {"model": model, "form": form})
        kept[form] = _kept(run, f"{model} {form}", cases)
    for number, case in enumerate(cases, 1):
        tell(number, case)
        for form in forms:
            if case.key not in kept[form]:
                prompt = formed(build(question(case, source_root), form.removesuffix(UNHEALED)), form)
                run.append(Example(case, f"{model} {form}", await _answer(score, prompt, case.truth)))
    return run


def _kept(run: Run, system: str, cases: Sequence[Case]) -> set[str]:
    """Keys of what was scored before; failures and cases that are not chosen any more leave the run."""
    chosen = {case.key for case in cases}
    found = [e for e in run.examples(system) if e.case.key in chosen and e.answer and not e.answer.error]
    run.rewrite(system, found)
    return {example.case.key for example in found}


async def _answer(score: Scorer, prompt: InfillPrompt, truth: str) -> Answer:
    begun = time.perf_counter()
    try:
        scored = await score(prompt, truth)
    except GoassistError as error:
        return Answer(error=str(error))
    return Answer(
        ms=(time.perf_counter() - begun) * 1000,
        generated_tokens=scored.tokens,
        mean_logprob=-scored.nats / scored.tokens if scored.tokens else 0.0,
        details={"nats": scored.nats, "bytes": scored.bytes},
    )


# What a run came to. A function is a file's and a function's name; values are (bits, bytes), summed over its holes.
_Sums = Mapping[str, tuple[float, int]]


def figures(run: Run, default: str) -> dict[str, Any]:
    """Bits a byte of a run's systems, by kind and in all, with 95 % intervals over functions, as one JSON value.

    A system is compared with the form `default` of its model, or with the model's first form where that was not
    asked. Functions of which one system lacks one hole, or failed at it, are left out for all.
    """
    examples = {system: {e.case.key: e for e in run.examples(system)} for system in run.systems}
    keys = {key: e.case for found in examples.values() for key, e in found.items()}
    failed: dict[str, str] = {}
    absent: set[str] = set()
    for found in examples.values():
        for key, case in keys.items():
            answer = found[key].answer if key in found else None
            if answer is None:
                absent.add(_function(case))
            elif answer.error:
                failed[_function(case)] = answer.error
    whole = [key for key, case in keys.items() if _function(case) not in failed and _function(case) not in absent]
    systems = []
    for system in run.systems:
        about = run.header["systems"][system]
        base = _base(run, about["model"], default)
        row: dict[str, Any] = {**about, "against": run.header["systems"][base]["form"], "kinds": {}}
        for kind in ("all", *KINDS):
            chosen = [key for key in whole if kind in ("all", keys[key].kind)]
            own = _sums([examples[system][key] for key in chosen])
            compared = _sums([examples[base][key] for key in chosen]) if system != base else {}
            row["kinds"][kind] = {
                "holes": len(chosen),
                "bits_a_byte": _ratio(own),
                "difference": _difference(own, compared) if compared else None,
            }
        systems.append(row)
    return {
        "holes": len(whole),
        "functions": len({_function(keys[key]) for key in whole}),
        "bytes": sum(len(keys[key].truth.encode()) for key in whole),
        "functions_failed": failed,
        "functions_not_asked_by_all": len(absent - failed.keys()),
        "systems": systems,
    }


def _function(case: Case) -> str:
    return f"{case.file} {case.function}"


def _base(run: Run, model: str, default: str) -> str:
    """System that others of the same model are compared with."""
    own = [system for system in run.systems if run.header["systems"][system]["model"] == model]
    return next((system for system in own if run.header["systems"][system]["form"] == default), own[0])


def _sums(examples: Sequence[Example]) -> _Sums:
    sums: dict[str, tuple[float, int]] = {}
    for example in examples:
        assert example.answer is not None
        bits, size = sums.get(_function(example.case), (0.0, 0))
        details = example.answer.details
        sums[_function(example.case)] = (bits + details["nats"] / log(2), size + details["bytes"])
    return sums


def _ratio(own: _Sums) -> dict[str, float | int] | None:
    bits, sizes = [bits for bits, _ in own.values()], [size for _, size in own.values()]
    return _estimate(bits, sizes)


def _difference(own: _Sums, compared: _Sums) -> dict[str, float | int] | None:
    """Bits a byte more than the other's, on the same functions."""
    bits = [own[function][0] - compared[function][0] for function in own]
    return _estimate(bits, [own[function][1] for function in own])


def _estimate(bits: Sequence[float], sizes: Sequence[int]) -> dict[str, float | int] | None:
    """Sum of bits over sum of bytes, with its interval; None for none.

    A single function has no interval: low and high are its value.
    """
    if not bits:
        return None
    value = sum(bits) / sum(sizes)
    low, high = bootstrap_95(list(zip(bits, sizes, strict=True)))
    if low is None or high is None:
        return Estimate(value, value, value, len(bits)).as_json()
    return Estimate(value, low / 100, high / 100, len(bits)).as_json()
