"""Values of the type service's `facts`: what is in play at a place, as declarations. Filled by typeservice.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["operand", "expected", "receiver", "param", "var", "const"]


@dataclass(frozen=True, slots=True)
class InPlay:
    """One type that matters at a place, written as its file would write it, bodies left out.

    `role` says why: it stands before the dot ("operand"), is what the place asks for ("expected"), or is the type of
    `variable`. `producers` are functions that return it (of an expected type alone), `members` all that may follow
    the dot, each as "name type" (of an operand alone). `standard`: the standard library declares it.
    """

    name: str
    role: Role
    variable: str
    declaration: str
    methods: tuple[str, ...] = ()
    producers: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    standard: bool = False


@dataclass(frozen=True, slots=True)
class TypeFacts:
    """What is in play at a place, the most telling type first.

    `function` is the enclosing function's signature, `expected` the type that the place asks for, `call` the
    signature of the call that it is an argument of; "" where there is none or it is not known.
    """

    function: str
    expected: str
    call: str
    in_play: tuple[InPlay, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a place asks for: the `type`, and the signature of the `call` that it is an argument of; "" for none.

    `fits` are a few names of that type, the likeliest first: of members behind a dot, else of what was named before.
    """

    type: str = ""
    call: str = ""
    fits: tuple[str, ...] = ()


def decode_facts(raw: Mapping[str, Any]) -> TypeFacts | None:
    """TypeFacts from the service's JSON; None when the place could not be read."""
    if "in_play" not in raw:
        return None
    in_play = tuple(
        InPlay(
            one["name"],
            one["role"],
            one["variable"],
            one["declaration"],
            tuple(one["methods"]),
            tuple(one["producers"]),
            tuple(one["members"]),
            bool(one["standard"]),
        )
        for one in raw["in_play"]
    )
    return TypeFacts(raw["function"], raw["expected"], raw["call"], in_play)
