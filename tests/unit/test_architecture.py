"""Claims about the tree itself: small files, honest names, imports in one direction, nothing tied to one machine."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MAX_LINES = 400
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
# Written in pieces, so that this file does not break its own claim.
HOSTS = re.compile(
    "|".join(
        (
            "pypi" + r"\.org",
            "pythonhosted" + r"\.org",
            "registry" + r"\.npmjs",
            "crates" + r"\.io",
            "proxy" + r"\.golang",
        )
    )
)
MACHINE_PATH = re.compile(r"(?<![\w.~$}*])/(?:" + "work|root|tmp" + r")/")


def tracked(*suffixes: str) -> list[Path]:
    """Files of the tree that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return [ROOT / name for name in listed if (not suffixes or name.endswith(suffixes)) and (ROOT / name).is_file()]


def readable(paths: list[Path]) -> list[tuple[str, str]]:
    """Name and text of those that are text."""
    found = []
    for path in paths:
        data = path.read_bytes()
        if b"\0" not in data:
            found.append((str(path.relative_to(ROOT)), data.decode("utf-8", "replace")))
    return found


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    sources = readable(tracked(".py", ".go", ".ts", ".lua"))
    assert sources
    assert {name: length for name, text in sources if (length := text.count("\n")) > MAX_LINES} == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [path for path in tracked(".py", ".go", ".ts", ".lua") if path.stem.lower() in FORBIDDEN_NAMES] == []


def test_imports_go_in_one_direction_and_stages_do_not_call_each_other() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("pattern", "what"), [(HOSTS, "a registry's host"), (MACHINE_PATH, "a path of one machine")])
def test_no_file_names_what_holds_on_one_machine_alone(pattern: re.Pattern[str], what: str) -> None:
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in readable(tracked())
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == [], what
