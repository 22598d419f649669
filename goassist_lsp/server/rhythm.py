"""How fast the user types, and so how long an answer may take to be there before the next key. Used by session.py."""

from __future__ import annotations

from goassist_lsp.types import Pace

# Requests that follow each other faster than this come from somebody who types.
_TYPING_S = 1.0
_SMOOTHING = 0.3
# Of the time between two keys; the rest is for the check and the way to the screen.
_SHARE = 0.6
_LEAST_S = 0.05
AT_REST_S = 1.5


class Rhythm:
    """The moments of requests; times in seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._last_s: float | None = None
        self._interval_s: float | None = None

    def typing(self, now_s: float) -> bool:
        """Whether the last request is so short a time ago that another key is likely to come."""
        return self._last_s is not None and 0 <= now_s - self._last_s < _TYPING_S

    def pace(self, now_s: float, *, again: bool = False) -> Pace:
        """Take in a request at `now_s`; return how the user works now. One that is made again is no key's."""
        if again:
            return Pace(typing=False, patience_s=AT_REST_S)
        typing, last_s, self._last_s = self.typing(now_s), self._last_s, now_s
        if not typing or last_s is None:
            self._interval_s = None
            return Pace(typing=False, patience_s=AT_REST_S)
        gap_s = now_s - last_s
        old_s = self._interval_s if self._interval_s is not None else gap_s
        self._interval_s = old_s + _SMOOTHING * (gap_s - old_s)
        return Pace(typing=True, patience_s=max(_LEAST_S, _SHARE * self._interval_s))
