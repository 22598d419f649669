"""From examples to figures: one row an answer, the cases that all systems answered, and every measure on them.

What tables.py and page.py show is made here once, so that both say the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from goassist_models.evaluate.example import Example
from goassist_models.evaluate.metrics import percentile
from goassist_models.evaluate.report.complaints import complaint_class, silence_class
from goassist_models.evaluate.report.statistics import Estimate, Paired, mean, paired, quantile, share

if TYPE_CHECKING:
    import pandas as pd

# A system that answered less than this share of the cases stands apart: it would take most cases from the others.
LEAST_ANSWERED = 0.5

# Outcomes from best to worst; the last three are no answer, and no part of any share.
RIGHT, FIRST_LINE, COMPILES, REFUSED, SILENT = (
    "exact",
    "first line right",
    "compiles, but differs",
    "does not compile",
    "silent",
)
UNJUDGED, FAILED, UNSCORED = "not judged", "system failed", "not scored"
OUTCOMES = (RIGHT, FIRST_LINE, COMPILES, REFUSED, SILENT, UNJUDGED, FAILED, UNSCORED)

_NONE = "standard library alone"
TYPES = "types, together"
_TYPES_STAGES = ("facts", "names", "check", "fixes", "points")
SHARES = ("shown", "compiles_of_shown", "compiles_of_all", "first_line", "exact")
PAIRED = ("first_line", "exact", "compiles_and_shown")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Answers of `systems` to the same cases. `rows` has one row an answer.

    `asked` cases were asked of anybody, `left_out` of them not answered by all. `apart` are systems that answered too
    few to be compared, and how many.
    """

    rows: pd.DataFrame
    systems: tuple[str, ...]
    asked: int
    left_out: int
    apart: Mapping[str, int]

    @property
    def compared(self) -> int:
        """How many cases all of them answered."""
        return self.asked - self.left_out

    def of(self, system: str) -> pd.DataFrame:
        """One system's rows, in the order of the cases."""
        return self.rows[self.rows["system"] == system]


def frame(examples: Mapping[str, Sequence[Example]]) -> pd.DataFrame:
    """One row an example: the case's columns, the answer's and the scores'; a case asked twice counts as last asked."""
    import pandas as pd

    rows = [_row(system, example) for system, found in examples.items() for example in found]
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    table = table.astype({"compiles": "boolean", "compiles_bare": "boolean", "compiles_and_shown": "boolean"})
    table = table.astype({"answered": bool, "shown": bool})
    return table.drop_duplicates(["system", "key"], keep="last").reset_index(drop=True)


def compare(table: pd.DataFrame, systems: Sequence[str]) -> Comparison:
    """Keep the cases that all systems answered, so that their figures can be compared; `table` is that of `frame`."""
    asked = set(table["key"])
    answered = table[table["answered"]]
    keys = {system: set(answered.loc[answered["system"] == system, "key"]) for system in systems}
    apart = {s: len(found) for s, found in keys.items() if len(found) < LEAST_ANSWERED * len(asked) or not found}
    kept = tuple(system for system in systems if system not in apart)
    common = asked.intersection(*(keys[system] for system in kept)) if kept else set()
    rows = answered[answered["key"].isin(list(common)) & answered["system"].isin(list(kept))]
    return Comparison(rows.sort_values("key", kind="stable"), kept, len(asked), len(asked) - len(common), apart)


def figures(rows: pd.DataFrame) -> dict[str, Any]:
    """Every measure of one system's answers; a share is an Estimate, None where there is nothing to count."""
    shown = rows[rows["shown"]]
    judged = shown[shown["compiles"].notna()]
    # A silent answer breaks nothing and helps nobody: among all, it counts as not compiling.
    of_all = rows[~rows["shown"] | rows["compiles"].notna()]
    return {
        "holes": len(rows),
        "shown": share(rows["shown"].tolist()),
        "compiles_of_shown": share(judged["compiles"].tolist()),
        "compiles_bare_of_shown": share(judged["compiles_bare"].dropna().tolist()),
        "compiles_of_all": share(of_all["compiles"].fillna(False).tolist()),
        "import_right": share(rows["import_right"].dropna().tolist()),
        "import_wrong": share(rows["import_wrong"].dropna().tolist()),
        "first_line": share(rows["first_line"].tolist()),
        "exact": share(rows["exact"].tolist()),
        "edit_similarity": mean(rows["edit_similarity"].tolist()),
        "prefix_right": mean(rows["prefix_right"].tolist()),
        "ms_p50": quantile(shown["ms"].tolist(), 50),
        "ms_p90": quantile(shown["ms"].tolist(), 90),
        "ms_p50_of_all": quantile(rows["ms"].tolist(), 50),
        "cpu_s": mean(rows["cpu_s"].dropna().tolist()),
        "read_tokens": mean(rows["read_tokens"].dropna().tolist()),
        "generated_tokens": mean(rows["generated_tokens"].dropna().tolist()),
    }


def failures(table: pd.DataFrame, system: str) -> dict[str, Any]:
    """What did not come to a figure, counted over all cases that `system` was asked, with the words most often said."""
    rows = table[table["system"] == system]
    failed, unjudged = rows[rows["outcome"] == FAILED], rows[rows["outcome"] == UNJUDGED]
    words = {FAILED: failed["error"], UNJUDGED: unjudged["unjudged"]}
    return {
        "asked": len(rows),
        "errors": len(failed),
        "unjudged": len(unjudged),
        "unscored": int((rows["outcome"] == UNSCORED).sum()),
        "words": {name: _counted(said.map(_first_words).tolist()) for name, said in words.items()},
    }


def groups(comparison: Comparison, by: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Figures by group and system. `by` is a column of `frame`; a case in several groups counts in each of them."""
    rows = comparison.rows.explode(by)
    rows = rows[rows[by].notna()]
    found = {}
    for name in sorted(set(rows[by]), key=str):
        within = rows[rows[by] == name]
        found[str(name)] = {s: figures(within[within["system"] == s]) for s in comparison.systems}
    return found


def stages(comparison: Comparison) -> dict[str, dict[str, dict[str, float]]]:
    """Milliseconds of each stage of the pipeline, where a system tells them: p50 and p95 by stage and system.

    TYPES is what the type service adds to a suggestion: all of its stages but the model's own part of repairs.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for system in comparison.systems:
        told = [stage_ms for stage_ms in comparison.of(system)["stage_ms"] if stage_ms]
        spent = [_with_types(stage_ms) for stage_ms in told]
        for stage in dict.fromkeys(name for stage_ms in spent for name in stage_ms):
            values = [stage_ms.get(stage, 0.0) for stage_ms in spent]
            found.setdefault(stage, {})[system] = {
                f"p{percent}": percentile(values, percent) or 0.0 for percent in (50, 95)
            }
    return found


def _with_types(stage_ms: Mapping[str, float]) -> dict[str, float]:
    of_types = [stage_ms[name] for name in _TYPES_STAGES if name in stage_ms]
    return {**stage_ms, **({TYPES: sum(of_types)} if of_types else {})}


def against(comparison: Comparison, base: str) -> dict[str, dict[str, Paired | None]]:
    """Every other system paired with `base` on the same cases, by measure of PAIRED."""
    base_rows = comparison.of(base).set_index("key")
    found = {}
    for system in comparison.systems:
        if system == base:
            continue
        rows = comparison.of(system).set_index("key")
        same = base_rows.loc[rows.index]
        measures: dict[str, Paired | None] = {}
        for measure in PAIRED:
            told = rows[measure].notna() & same[measure].notna()  # not judged is neither yes nor no
            measures[measure] = paired(rows.loc[told, measure].tolist(), same.loc[told, measure].tolist())
        found[system] = measures
    return found


def counts(comparison: Comparison, column: str) -> dict[str, dict[str, int]]:
    """How often each word stands in `column`, most frequent first, by system; empty words are not counted."""
    rows = comparison.rows[comparison.rows[column] != ""]
    order = list(_counted(rows[column].tolist()))
    by_system = {s: _counted(rows.loc[rows["system"] == s, column].tolist()) for s in comparison.systems}
    return {word: {s: by_system[s].get(word, 0) for s in comparison.systems} for word in order}


def as_json(value: Any) -> Any:
    """Figures as values that JSON can hold."""
    if isinstance(value, Estimate | Paired):
        return value.as_json()
    if isinstance(value, Mapping):
        return {key: as_json(inner) for key, inner in value.items()}
    return value


def outcome(example: Example) -> str:
    """Which of OUTCOMES came of it."""
    answer, scores = example.answer, example.scores
    if answer is not None and answer.error:
        return FAILED
    if answer is None or scores is None:
        return UNSCORED
    if not scores.shown:
        return SILENT
    if scores.compiles is None:
        return UNJUDGED
    if not scores.compiles:
        return REFUSED
    return RIGHT if scores.exact else FIRST_LINE if scores.first_line_exact else COMPILES


def _row(system: str, example: Example) -> dict[str, Any]:
    case, answer, scores = example.case, example.answer, example.scores
    answered = answer is not None and scores is not None and not answer.error
    judged = scores is not None and scores.compiles is not None
    said = outcome(example)
    return {
        "system": system,
        "key": case.key,
        "kind": case.kind,
        "role": case.role or None,
        "slice": case.slices,
        "dependency": tuple(dict.fromkeys(_module(name) for name in case.dependencies)) or (_NONE,),
        "dependency_year": tuple(sorted({_year(name) for name in case.dependencies})) or (_NONE,),
        "age": "new" if case.new else "older",
        "answered": answered,
        "outcome": said,
        "shown": bool(scores and scores.shown),
        "compiles": scores.compiles if scores else None,
        "compiles_bare": scores.compiles_bare if scores else None,
        "compiles_and_shown": None if scores is None or (scores.shown and not judged) else bool(scores.compiles),
        "import_right": bool(scores and case.needs in scores.imports_added) if case.needs else None,
        "import_wrong": bool(scores and set(scores.imports_added) - {case.needs}) if case.needs else None,
        "first_line": bool(scores and scores.first_line_exact),
        "exact": bool(scores and scores.exact),
        "edit_similarity": scores.edit_similarity if scores else 0.0,
        "prefix_right": scores.prefix_right if scores else 0.0,
        "ms": answer.ms if answer else None,
        "cpu_s": answer.cpu_s if answer else None,
        "read_tokens": answer.read_tokens if answer else None,
        "generated_tokens": answer.generated_tokens if answer else None,
        "mean_logprob": answer.mean_logprob if answer else None,
        "stage_ms": dict(answer.details.get("timings_ms", {})) if answer else {},
        "error": answer.error if answer else "",
        "unjudged": scores.unjudged if scores else "",
        "silence": silence_class(answer.silent_because) if answer and said == SILENT else "",
        "complaint": complaint_class(scores.judge) if scores and said == REFUSED else "",
    }


_COLUMNS = (
    "system", "key", "kind", "role", "slice", "dependency", "dependency_year", "age", "answered", "outcome", "shown",
    "compiles", "compiles_bare", "compiles_and_shown", "import_right", "import_wrong", "first_line", "exact",
    "edit_similarity", "prefix_right", "ms",
    "cpu_s", "read_tokens", "generated_tokens", "mean_logprob", "stage_ms", "error", "unjudged", "silence", "complaint",
)  # fmt: skip


def _module(dependency: str) -> str:
    return dependency.partition(" ")[0].rpartition("@")[0] or dependency.partition(" ")[0]


def _year(dependency: str) -> str:
    return dependency.rpartition(" ")[2].partition("-")[0] if " " in dependency else "unknown"


def _first_words(text: str) -> str:
    return " ".join(text.split())[:160]


def _counted(words: Sequence[str]) -> dict[str, int]:
    from collections import Counter

    return dict(Counter(words).most_common())
