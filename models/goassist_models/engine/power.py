"""Whether this machine runs on its battery, asked seldom. Used where work is left out to spare it."""

from __future__ import annotations

import time
from collections.abc import Callable

ASK_EVERY_S = 60.0


def unplugged() -> bool:
    """Whether there is a battery and no other power; False where nothing can be told."""
    import psutil

    try:
        battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    except Exception:  # odd firmware makes odd errors, and none of them is worth an answer
        return False
    return battery is not None and battery.power_plugged is False


class Power:
    """Remembers the answer for a minute of `clock` (seconds)."""

    def __init__(self, ask: Callable[[], bool] = unplugged, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._asked_s: float | None = None
        self._answer = False

    @property
    def on_battery(self) -> bool:
        """Whether it was on battery when last asked, at most a minute ago."""
        now_s = self._clock()
        if self._asked_s is None or not 0 <= now_s - self._asked_s < ASK_EVERY_S:
            self._asked_s, self._answer = now_s, self._ask()
        return self._answer
