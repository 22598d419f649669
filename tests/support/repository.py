"""Small git repositories made in a test: a Go module, and commits to it."""

from __future__ import annotations

import subprocess
from pathlib import Path

GIT = ["git", "-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
MAIN = """package tool

import "strings"

func Upper(words []string) string {
	return strings.ToUpper(strings.Join(words, " "))
}
"""
ADDED = """
func Longest(words []string) string {
	longest := ""
	for _, word := range words {
		if len(word) > len(longest) {
			longest = strings.TrimSpace(word)
		}
	}
	return longest
}
"""


def git(repository: Path, *arguments: str) -> str:
    done = subprocess.run([*GIT, "-C", str(repository), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(repository: Path, subject: str, files: dict[str, str | None]) -> str:
    """Commit these texts (None: the file is deleted); the commit's name."""
    for name, text in files.items():
        path = repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            path.unlink()
        else:
            path.write_text(text, encoding="utf-8")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", subject)
    return git(repository, "rev-parse", "HEAD")


def started(tmp_path: Path, folder: str = "") -> Path:
    """A repository with one module, in its root commit."""
    repository = tmp_path / "a repository"
    repository.mkdir()
    git(repository, "init", "-q", "-b", "main")
    commit(repository, "root", {f"{folder}go.mod": "module example.com/tool\n\ngo 1.22\n", f"{folder}main.go": MAIN})
    return repository
