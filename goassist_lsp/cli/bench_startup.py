"""`bench startup`: not there yet."""

from __future__ import annotations

import argparse


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add nothing yet."""
