"""How many threads the next token is decoded with: fewer while another program wants the cores, all of them otherwise.

Driven by values alone: the llama engine tells it what each decode of one token took, and no clock or timer runs here.
"""

from __future__ import annotations

from collections import deque
from statistics import median

SLOW = 2.0  # times what a decode usually takes
# Two decodes that differ by less are the same to a reader: tiny models jitter by more than a factor of two.
FELT_MS = 5.0
# One slow decode says nothing (the system did something else for a moment), as many as these do.
IN_A_ROW = 4
# How much quicker a number of threads must be to be worth a change.
WORTH = 1.1
# One thread more is tried after this many decodes and seconds; twice the seconds each time that it was of no use.
RETRY_DECODES = 16
RETRY_S = 4.0
MOST_RETRY_S = 64.0
_KEPT = 64
_LEARN = 8
_LOW_QUANTILE = 0.2


class ThreadPace:
    """Chooses the number of threads, from 1 to `start`, by the milliseconds that decodes take.

    When they take more than twice the usual for some in a row, it goes down a thread at a time while that lasts, and
    stays where they were quickest: that may be where it began, for a clock that was throttled or a longer context is
    no reason to leave cores idle. From there it goes up again, a thread at a time, as long as that costs nothing.
    """

    def __init__(self, start: int) -> None:
        self._start = max(1, start)
        self._most = self._start
        self._begin()

    def _begin(self) -> None:
        self.threads = self._most
        self._quick: deque[float] = deque(maxlen=_KEPT)  # decodes with the most threads that were not slow
        self._settled_ms = 0.0  # what decodes took with the present threads, when they are not the most
        self._wait_s = RETRY_S
        self._descent: dict[int, float] = {}  # what was measured on the way down, by threads; empty when there is none
        self._descent_usual_ms = 0.0
        self._before_ms: float | None = None  # what decodes took with a thread less, while one more is tried
        self._rest(None)

    def _rest(self, now_s: float | None) -> None:
        self._since_s = now_s
        self._decodes = 0
        self._recent: deque[float] = deque(maxlen=IN_A_ROW)
        self._slow: list[float] = []

    @property
    def usual_ms(self) -> float | None:
        """What a decode takes with the present threads when nobody else wants the cores; None while unknown."""
        if self.threads < self._most:
            return self._settled_ms
        if len(self._quick) < _LEARN:
            return None
        return sorted(self._quick)[int(_LOW_QUANTILE * len(self._quick))]

    def allow(self, most: int) -> None:
        """Hold it to `most` threads from now on, from 1 to `start`; what it has learnt counts for another number."""
        most = max(1, min(most, self._start))
        if most != self._most:
            self._most = most
            self._begin()

    def decoded(self, ms: float, threads: int, now_s: float) -> int:
        """Take in a decode that took `ms` with `threads`; returns how many to use next.

        `now_s` is its end by any one clock that does not run backwards.
        """
        if threads == self.threads and ms >= 0:  # another number: it began before the last change
            self._recent.append(ms)
            self._decodes += 1
            if self._descent:
                self._measure_down(now_s)
            elif self._before_ms is not None:
                self._measure_up(ms, now_s)
            else:
                self._watch(ms, now_s)
        return self.threads

    def _watch(self, ms: float, now_s: float) -> None:
        if self._since_s is None or now_s < self._since_s:
            self._since_s = now_s
        usual_ms = self.usual_ms
        if usual_ms is not None and _is_slow(ms, usual_ms):
            self._slow.append(ms)
            if len(self._slow) >= IN_A_ROW:
                self._all_slow(now_s)
            return
        self._slow.clear()
        if self.threads == self._most:
            self._quick.append(ms)
        elif self._decodes >= RETRY_DECODES and now_s - self._since_s >= self._wait_s:
            self._before_ms = median(self._recent)
            self._go(self.threads + 1, now_s)

    def _all_slow(self, now_s: float) -> None:
        slow_ms = median(self._slow)
        if self.threads == 1:
            self._settle(1, slow_ms, now_s)
        else:
            self._descent, self._descent_usual_ms = {self.threads: slow_ms}, self.usual_ms or 0.0
            self._go(self.threads - 1, now_s)

    def _measure_down(self, now_s: float) -> None:
        if len(self._recent) < IN_A_ROW:
            return
        now_ms = self._descent[self.threads] = median(self._recent)
        if self.threads > 1 and _is_slow(now_ms, self._descent_usual_ms):
            self._go(self.threads - 1, now_s)
            return
        first, best = max(self._descent), min(self._descent, key=lambda threads: self._descent[threads])
        threads = first if self._descent[first] <= WORTH * self._descent[best] else best
        self._settle(threads, self._descent[threads], now_s)
        self._descent = {}

    def _measure_up(self, ms: float, now_s: float) -> None:
        assert self._before_ms is not None
        before_ms, tried_ms = self._before_ms, median(self._recent)
        if len(self._recent) < IN_A_ROW and not _is_slow(ms, before_ms):
            return
        # One decode that is far slower is enough: with busy cores each of them is felt.
        if _is_slow(ms, before_ms) or tried_ms > WORTH * before_ms:
            self._before_ms = None
            self._wait_s = min(2 * self._wait_s, MOST_RETRY_S)
            self._settle(self.threads - 1, before_ms, now_s)
            return
        self._wait_s = RETRY_S
        if self.threads < self._most:
            self._before_ms = tried_ms
            self._go(self.threads + 1, now_s)
        else:  # what was usual there before still is
            self._before_ms = None
            self._rest(now_s)

    def _settle(self, threads: int, ms: float, now_s: float) -> None:
        """Stay with `threads`, where decodes take `ms`: that is the usual from now on."""
        if threads == self._most:
            self._quick = deque([ms] * _LEARN, maxlen=_KEPT)
        else:
            self._settled_ms = ms
        self._go(threads, now_s)

    def _go(self, threads: int, now_s: float) -> None:
        self.threads = threads
        self._rest(now_s)


def _is_slow(ms: float, usual_ms: float) -> bool:
    return ms > SLOW * usual_ms and ms > usual_ms + FELT_MS
