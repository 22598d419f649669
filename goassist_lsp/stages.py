"""Which stages of the pipeline run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stages:
    """Which stages run; evaluation switches them in turn to see what they are worth, users have what helps.

    `beside`: the prompt shows what the package's other files import. `retrieve`: it shows what the index finds for
    the place; off until an evaluation says that it helps. `at_hand`: it shows names of other files that are likely
    to be of use, above the function; off until the same. `meaning`: that is looked for by meaning too, where the
    extra `embed` and its model are there; words alone found more (docs/results.md). `facts`: a second draw is told
    what the place asks for, which did not help (models/LOG.md). `trim`: a generation ends, and is cut, where the hole
    ends. `filters`: all other post-processing too. `names`: decoding is held to names that exist. What fails the
    check is seen to by `fixes`, which need no model, then by `repair` (the next likely token where it failed), then
    by `cut_back`. The check is a setting, form and healing are the prompt's. `imports`: what a candidate does not
    find imported is added with it.
    """

    beside: bool = True
    retrieve: bool = False
    at_hand: bool = False
    meaning: bool = False
    facts: bool = False
    trim: bool = True
    filters: bool = True
    names: bool = True
    fixes: bool = True
    repair: bool = True
    cut_back: bool = True
    second_draw: bool = True
    imports: bool = True
