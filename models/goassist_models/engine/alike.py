"""What a prompt's tokens and the cells that are there have in common. Pure functions, used by the engines' contexts."""

from __future__ import annotations

from collections.abc import Sequence

# So many tokens in a row say that it is the same text further up.
_MARK = 16


def common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """Length of what two sequences of tokens begin with alike."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(first), len(second)))


def moved_from(cells: list[int], shared: int, tokens: Sequence[int], least: int) -> int:
    """Where in `cells` the `tokens` behind the first `shared` go on for the longest, 0 for nowhere.

    That is where something between was cut out. Fewer than `least` tokens are not looked for.
    """
    rest = list(tokens[shared:])
    if len(rest) < least:
        return 0
    mark = rest[:_MARK]
    found = [at for at in range(shared + 1, len(cells) - least + 1) if cells[at : at + _MARK] == mark]
    lengths = {at: common_length(cells[at:], rest) for at in found}
    at = max(lengths, key=lambda at: lengths[at], default=0)
    return at if at and lengths[at] >= least else 0
