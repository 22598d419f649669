"""What an answer was worth: compared with the author's text, and compiled by the Go compiler.

The third stage of an Example (example.py). It needs no model: `eval report --rescore` makes it anew.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from goassist_index.errors import GoassistError
from goassist_models.evaluate.example import Answer, Case, Question, Scores
from goassist_models.evaluate.judge import CompileJudge, Judgement
from goassist_models.evaluate.needed import imported

_COMPLAINT_CHARS = 500
# The compiler names a place for what is wrong with a text. One exception: imports that go round in a circle.
_PLACE = re.compile(r":\d+(:\d+)?: ")
_PLACELESS_FAULTS = ("import cycle not allowed", "use of internal package")


@dataclass(frozen=True, slots=True)
class _Taken:
    """`inserted` stands in the hole; `expected` is the truth and what acceptance took away before and behind it."""

    inserted: str
    expected: str


def inserted(question: Question, answer: Answer) -> str:
    """What stands in the hole after accepting, "" when nothing was shown.

    The suggestion's edit may replace text on both sides of the cursor and say it again: that is no part of the hole.
    """
    return _taken(question, answer, "").inserted if answer.shown else ""


def score(case: Case, question: Question, answer: Answer, judge: CompileJudge) -> Scores:
    """Score one answer; `judge` is that of the pristine module, so that `case.file` is below its directory.

    A system's failure (`answer.error`) and the judge's own (its timeout, say) end in `unjudged`, never in a share.
    """
    if answer.error:
        return Scores(shown=False, unjudged=f"the system failed: {answer.error}"[:_COMPLAINT_CHARS])
    if not answer.shown:
        return Scores(shown=False)
    from rapidfuzz.distance import Levenshtein, Prefix

    taken = _taken(question, answer, case.truth)
    compiles, complaint, unjudged = _compiled(case, question, answer, judge, imports=True)
    bare = compiles
    if len(answer.edits) > 1:
        bare, _, bare_unjudged = _compiled(case, question, answer, judge, imports=False)
        unjudged = unjudged or bare_unjudged
    text, truth = taken.inserted.strip(), taken.expected.strip()
    return Scores(
        shown=True,
        inserted=taken.inserted,
        compiles=compiles,
        compiles_bare=bare,
        first_line_exact=_first_line(text) == _first_line(truth),
        exact=text == truth,
        edit_similarity=Levenshtein.normalized_similarity(text, truth),
        prefix_right=Prefix.similarity(text, truth) / len(truth) if truth else float(not text),
        judge=complaint,
        unjudged=unjudged,
        imports_added=_imports_added(question, answer),
    )


def _imports_added(question: Question, answer: Answer) -> tuple[str, ...]:
    if len(answer.edits) < 2:
        return ()
    after = imported(answer.taken(question.text).encode("utf-8", "surrogatepass"))
    return tuple(sorted(after - imported(question.text.encode("utf-8", "surrogatepass"))))


def _taken(question: Question, answer: Answer, truth: str) -> _Taken:
    from rapidfuzz.distance import Postfix, Prefix

    text, cursor, edit = question.text, question.offset, answer.edits[0]
    first, last = min(edit.start, cursor), max(edit.end, cursor)
    before, behind = text[first:cursor], text[cursor:last]
    new = text[first : edit.start] + edit.text + text[edit.end : last]
    kept = Prefix.similarity(before, new)
    new, lost = new[kept:], before[kept:]
    kept = Postfix.similarity(behind, new)
    return _Taken(new[: len(new) - kept], lost + truth + behind[: len(behind) - kept])


def _compiled(
    case: Case, question: Question, answer: Answer, judge: CompileJudge, *, imports: bool
) -> tuple[bool | None, str, str]:
    """Whether the package compiles with the accepted text, the first complaint, and why there is no judgement."""
    # A lone surrogate, which JSON can carry, is no text: the compiler shall say so.
    text = answer.taken(question.text, imports=imports).encode("utf-8", "surrogatepass")
    path = judge.directory / case.file
    try:
        judgement = judge.build(judge.package_of(path), {path: text})
    except (GoassistError, OSError) as error:
        return None, "", f"the judge failed: {error}"[:_COMPLAINT_CHARS]
    if judgement.ok:
        return True, "", ""
    if not _PLACE.search(judgement.output) and not any(words in judgement.output for words in _PLACELESS_FAULTS):
        words = " ".join(judgement.output.split()) or "no word from it"
        return None, "", f"the judge failed: {words}"[:_COMPLAINT_CHARS]
    return False, _complaint(judgement, path), ""


def _complaint(judgement: Judgement, path: Path) -> str:
    """The first complaint; one about something unused is often a mere consequence, and stands behind the others."""
    if not judgement.errors:
        return judgement.output.strip()[:_COMPLAINT_CHARS]
    error = min(judgement.errors, key=lambda e: e.curable)
    # An overlay's copy has a number before its name.
    name = path.name if error.file.endswith(path.name) else error.file
    return f"{name}:{error.line}:{error.col}: {error.message}"[:_COMPLAINT_CHARS]


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].strip()
