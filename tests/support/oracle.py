"""Systems whose worth is known before they are asked: what evaluation must say of each is no matter of opinion."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace

from goassist_index.errors import GoassistError
from goassist_models.evaluate.example import Answer, Case, Edit, Question, System

MS = 40.0
CPU_S = 0.25
# Names that cannot be renamed: the text would break in another way.
_RESERVED = re.compile(
    r"break|case|chan|const|continue|default|defer|else|fallthrough|for|func|go|goto|if|import|interface|map|package|"
    r"range|return|select|struct|switch|type|var|append|bool|byte|cap|error|false|int|len|make|nil|string|true"
)


def oracle(cases: Sequence[Case], name: str = "oracle") -> System:
    """Says the truth at once."""
    return _saying(name, cases, lambda case: case.truth)


def wrong(cases: Sequence[Case], texts: Mapping[str, str]) -> System:
    """Says `texts`, by the case's key."""
    return _saying("wrong", cases, lambda case: texts[case.key])


def faulty(cases: Sequence[Case]) -> System:
    """Says the truth, but for one name that exists nowhere."""
    return _saying("faulty", cases, lambda case: with_unknown_name(case.truth))


def late(cases: Sequence[Case], ms: float) -> System:
    """Says the truth after `ms`, as it reports itself: nobody waits in a test."""
    right = oracle(cases)

    async def ask(question: Question) -> Answer:
        return replace(await right.ask(question), ms=ms)

    return System("late", ask)


def silent(reason: str) -> System:
    """Says nothing, and why."""

    async def ask(question: Question) -> Answer:
        return Answer(ms=MS, cpu_s=CPU_S, silent_because=reason)

    return System("silent", ask)


def failing(cases: Sequence[Case], at: Collection[str], name: str = "failing") -> System:
    """Breaks down at the cases with these keys, and says the truth at the others."""
    right = oracle(cases)

    async def ask(question: Question) -> Answer:
        if case_of(cases, question).key in at:
            raise GoassistError("the system broke down", path=question.path.name)
        return await right.ask(question)

    return System(name, ask)


def importing(cases: Sequence[Case], imports: str) -> System:
    """Says the truth; the declaration `imports` comes along as a second edit, behind the package clause."""
    right = oracle(cases)

    async def ask(question: Question) -> Answer:
        answer = await right.ask(question)
        clause = re.search(r"^package \w+\n", question.text, re.MULTILINE)
        assert clause is not None
        return replace(answer, edits=(*answer.edits, Edit(clause.end(), clause.end(), f"\n{imports}\n")))

    return System("importing", ask)


def case_of(cases: Sequence[Case], question: Question) -> Case:
    """The case that is asked about."""
    file = question.path.relative_to(question.root).as_posix()
    start = len(question.text[: question.offset].encode())
    return next(case for case in cases if (case.file, case.start) == (file, start))


def with_unknown_name(truth: str) -> str:
    """The truth with the first of its names changed to one that exists nowhere."""
    name = next(found for found in re.finditer(r"[^\W\d]\w*", truth) if not _RESERVED.fullmatch(found[0]))
    return f"{truth[: name.end()]}Nowhere{truth[name.end() :]}"


def _saying(name: str, cases: Sequence[Case], text: Callable[[Case], str]) -> System:
    async def ask(question: Question) -> Answer:
        edit = Edit(question.offset, question.offset, text(case_of(cases, question)))
        return Answer((edit,), MS, CPU_S, prompt_tokens=120, read_tokens=100, generated_tokens=5, mean_logprob=-0.1)

    asking: Callable[[Question], Awaitable[Answer]] = ask
    return System(name, asking, about={"model": "none", "variant": name})
