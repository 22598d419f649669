"""What became of the source: counts and causes by gate, licences, copies, tokens, minutes. Read from a run's shards.

`train report` prints it; model cards and docs quote it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from goassist_index.errors import GoassistError
from goassist_models.data.records import SourceFile, read_shard
from goassist_models.data.samples import Sample, read_samples
from goassist_models.data.shards import counts_of, shards_of

STAGES = ("collect", "licence", "gate", "dedup")


@dataclass(frozen=True, slots=True)
class DataReport:
    """Totals of a run. `files_out` and `functions_out` are counts by "STAGE: CAUSE", `lines` those of all files read.

    `licences` counts kept files by SPDX expression, `lines_kept` the lines of functions that are left at the end.
    """

    lines: int
    files: int
    functions: int
    functions_left: int
    lines_kept: int
    files_out: Counter[str]
    functions_out: Counter[str]
    licences: Counter[str]
    samples: Counter[str]


def data_report(out: Path) -> DataReport:
    """Read the counts of every stage that has run in `out`. Raises GoassistError when none has."""
    collected = _counts(out / "collect")
    files_out: Counter[str] = Counter()
    functions_out: Counter[str] = Counter()
    licences: Counter[str] = Counter()
    left = lines_kept = 0
    last = next((out / stage for stage in reversed(STAGES) if list((out / stage).glob("*.jsonl"))), out / "collect")
    for path in shards_of(last):
        for file in read_shard(path):
            _count(file, files_out, functions_out, licences)
            for function in file.kept:
                left += 1
                lines_kept += file.text.encode()[function.start : function.end].count(b"\n") + 1
    files_out.update({key: count for key, count in collected.items() if key.startswith("blocked")})
    return DataReport(
        lines=collected["lines"],
        files=collected["files"],
        functions=collected["functions"],
        functions_left=left,
        lines_kept=lines_kept,
        files_out=files_out,
        functions_out=functions_out,
        licences=licences,
        samples=_counts(out / "samples") if (out / "samples").is_dir() else Counter(),
    )


def _count(file: SourceFile, files_out: Counter[str], functions_out: Counter[str], licences: Counter[str]) -> None:
    if file.dropped:
        files_out[file.dropped] += 1
        return
    licences[" AND ".join(file.spdx) or "not judged yet"] += 1
    functions_out.update(function.dropped for function in file.functions if function.dropped)


def _counts(directory: Path) -> Counter[str]:
    total: Counter[str] = Counter()
    for path in shards_of(directory):
        total.update(counts_of(path))
    return total


def markdown(report: DataReport, minutes: dict[str, float]) -> str:
    """The report as Markdown tables; `minutes` by stage."""
    lines = [
        f"{report.lines:,} lines in {report.files:,} files with {report.functions:,} functions; left at the end: "
        f"{report.functions_left:,} functions of {report.lines_kept:,} lines.",
    ]
    for title, counts in (
        ("files that are out", report.files_out),
        ("functions that are out, in files that are not", report.functions_out),
        ("files left, by licence", report.licences),
        ("samples", report.samples),
    ):
        if counts:
            lines += ["", f"| {title} | |", "|---|---:|", *(f"| {k} | {v:,} |" for k, v in counts.most_common())]
    if minutes:
        lines += ["", "| stage | minutes |", "|---|---:|", *(f"| {k} | {v:.1f} |" for k, v in minutes.items())]
    return "\n".join(lines) + "\n"


def some_samples(directory: Path, count: int, seed: int) -> Sequence[Sample]:
    """Samples drawn at random, to be read by somebody. Raises GoassistError when there are fewer."""
    found = list(read_samples(shards_of(directory)))
    if len(found) < count:
        raise GoassistError(f"there are {len(found)} samples, not {count}", path=str(directory))
    return random.Random(seed).sample(found, count)
