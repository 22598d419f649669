"""Documentation cannot fall behind the code: links lead somewhere, the settings page is the one the code makes."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
_LINK = re.compile(r"\]\((?!https?://|#)([^)\s#]+)")


def test_settings_page_is_what_the_settings_say() -> None:
    made = runpy.run_path(str(ROOT / "scripts" / "settings_doc.py"))
    assert (ROOT / "docs" / "settings.md").read_text() == made["render"]()
    for_vim = made["VIM_HELP"].read_text()
    assert for_vim == made["render_vim_help"](for_vim)
    assert "*goassist-eagerness*" in for_vim
    for_vscode = made["VSCODE"].read_text()
    assert for_vscode == made["render_vscode"](for_vscode)
    assert for_vscode.count('"goassist.eagerness": {') == 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    missing = [link for link in _LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []


def test_at_most_fifteen_settings() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    assert 0 < page.count("| `goassist.") <= 15
