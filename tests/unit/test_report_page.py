"""Claims about the page of a run: it stands alone, shows every case, and nothing that it shows is taken for markup."""

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from goassist_lsp.cli import main
from goassist_models.evaluate.example import Example
from goassist_models.evaluate.report.measures import compare, frame
from goassist_models.evaluate.report.page import LINES_BEFORE, LINES_BEHIND, page, write_page
from goassist_models.evaluate.report.plots import calibration
from goassist_models.evaluate.runs import Run
from support.examples import case, failed, run, shown, silent, unjudged, wrong

HOSTILE = """</script></pre><img src="https://example.com/x" onerror="alert('1')">{{ 7 * 7 }}<!-- & -->"""
SYSTEM = f"peer {HOSTILE}"


class Read(HTMLParser):
    """A page as a browser's parser takes it: elements, and the text of those that are asked for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.texts.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        self.texts.append((f"/{tag}", ""))

    def handle_data(self, data: str) -> None:
        if self.texts:
            tag, text = self.texts[-1]
            self.texts[-1] = (tag, text + data)

    def of(self, tag: str, **attributes: str) -> list[dict[str, str]]:
        return [a for t, a in self.elements if t == tag and attributes.items() <= a.items()]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Every word that can come from elsewhere tries to be markup."""
    names = {"kind": HOSTILE, "role": HOSTILE, "slices": (HOSTILE,), "dependencies": (f"{HOSTILE}@v1 2026-01",)}
    cases = [case(n, function=HOSTILE, truth=HOSTILE, file=HOSTILE, module=HOSTILE, **names) for n in range(4)]
    made: list[Example] = [
        shown(cases[0], SYSTEM, text=HOSTILE, logprob=-0.5),
        wrong(cases[1], SYSTEM, HOSTILE, text=HOSTILE),
        silent(cases[2], SYSTEM, HOSTILE),
        failed(cases[3], SYSTEM, HOSTILE),
    ]
    made += [shown(cases[n], "plain", logprob=-1.0) for n in range(3)] + [unjudged(cases[3], "plain", HOSTILE)]
    noted = {"failed_modules": [{"module": HOSTILE, "why": HOSTILE}], "given_up": {SYSTEM: HOSTILE}}
    return run(tmp_path_factory.mktemp("hostile"), made, **noted)


@pytest.fixture(scope="module")
def text(hostile: Run) -> str:
    return page(hostile)


def test_words_of_others_never_become_markup(text: str) -> None:
    read = Read(text)
    known = {
        *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "nav", "a", "ul", "li"),
        *("section", "table", "thead", "tbody", "tr", "th", "td", "div", "form", "label", "select", "option", "input"),
        *("span", "details", "summary", "code", "pre", "mark", "strong", "script"),
    }
    assert {tag for tag, _ in read.elements} <= known
    attributes = {name for _, given in read.elements for name in given}
    assert not {name for name in attributes if name.startswith("on") or name in ("src", "srcset", "action")}
    assert "49" not in [words for _, words in read.texts]
    assert [words for tag, words in read.texts if tag == "mark"] == [HOSTILE] * 4
    assert read.texts.count(("code", HOSTILE)) == 4
    assert read.of("details", **{"data-module": HOSTILE, "data-kind": HOSTILE, "data-slices": HOSTILE})


def test_nothing_is_fetched_from_anywhere(text: str) -> None:
    read = Read(text)
    policy = read.of("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    assert policy.startswith("default-src 'none'; ")
    assert not re.search(r"https?:|\*", policy)
    assert {given["href"] for given in read.of("a")} == {"#tables", "#plots", "#cases"}
    assert not read.of("link")
    assert not re.findall(r"@import|url\(", next(words for tag, words in read.texts if tag == "style"))


def test_plotly_is_there_once_and_has_a_figure_for_each_plot(text: str) -> None:
    read = Read(text)
    figures = [json.loads(words) for tag, words in read.texts if tag == "script" and words.startswith("{")]
    assert len(figures) == len(read.of("div", **{"class": "plot"})) == 6
    assert [given["data-plot"] for given in read.of("script", **{"class": "plot-data"})] == [
        given["id"] for given in read.of("div", **{"class": "plot"})
    ]
    assert 3_000_000 < len(text) < 8_000_000
    names = {trace["name"] for figure in figures for trace in figure["data"]}
    assert not [name for name in names if "<" in name]


def test_every_case_says_what_each_system_made_of_it(text: str) -> None:
    read = Read(text)
    assert len(read.of("details")) == 4
    found = sorted(given["data-outcomes"].split("\n") for given in read.of("details"))
    assert found == sorted(
        [f"{SYSTEM}\t{outcome}", f"plain\t{other}"]
        for outcome, other in (
            ("exact", "exact"),
            ("does not compile", "exact"),
            ("silent", "exact"),
            ("system failed", "not judged"),
        )
    )
    assert [words.strip() for tag, words in read.texts if tag == "div" and words.strip() == HOSTILE] == [HOSTILE] * 4
    options = [words for tag, words in read.texts if tag == "option"]
    assert {SYSTEM, "plain", "exact", "does not compile", "silent", "system failed", "not judged"} <= set(options)


def test_what_stands_around_a_hole_is_shown_where_the_copy_is_there(tmp_path: Path) -> None:
    lines = [f"// line {number}" for number in range(60)]
    source = "\n".join(lines).replace("// line 30", "// ünd «truth» end")
    (tmp_path / "a.go").write_text(source.replace("«", "").replace("»", ""), encoding="utf-8")
    start = len(source.partition("«")[0].encode())
    one = case(start, end=start + len("truth"), truth="truth")
    made = run(tmp_path / "run", [shown(one, "s", text="truth")])
    with_copy = next(words for tag, words in Read(page(made, None, {one.module: tmp_path})).texts if tag == "pre")
    assert with_copy.lstrip("\n").split("\n") == [*lines[30 - LINES_BEFORE + 1 : 30], "// ünd "]
    behind = page(made, None, {one.module: tmp_path}).partition("</mark>")[2].partition("</pre>")[0]
    assert behind.split("\n") == [" end", *lines[31 : 30 + LINES_BEHIND]]
    (tmp_path / "a.go").write_text("another version")
    for directories in ({one.module: tmp_path}, {}):
        assert '<pre class="prompt">\n<mark>truth</mark></pre>' in page(made, None, directories)


def test_calibration_counts_what_was_shown_by_how_sure_the_model_was() -> None:
    sure, unsure = math.log(0.95), math.log(0.32)
    made = [shown(case(n), "s", logprob=sure, first_line_exact=n < 30) for n in range(40)]
    made += [wrong(case(n), "s", logprob=unsure) for n in range(40, 50)]
    made += [shown(case(50), "s"), silent(case(51), "s"), shown(case(52), "s", logprob=0.0)]
    bins = calibration(compare(frame({"s": made}), ["s"]).of("s"))
    assert [(round(centre, 3), value, n) for centre, value, _, _, n in bins] == [
        (0.32, 0.0, 10),
        (round((40 * 0.95 + 1) / 41, 3), 31 / 41, 41),
    ]
    assert all(low <= value <= high for _, value, low, high, _ in bins)


def test_a_run_of_a_dead_system_has_a_page_too(tmp_path: Path) -> None:
    read = Read(page(run(tmp_path, [failed(case(1), "dead")])))
    assert not read.of("div", **{"class": "plot"})
    assert len(read.of("details")) == 1


def test_text_that_no_file_can_hold_is_written_all_the_same(tmp_path: Path) -> None:
    made = run(tmp_path, [shown(case(1), "s")])
    one = made.examples("s")[0]
    made.path("s").write_text(json.dumps(json.loads(made.path("s").read_text())).replace('"F1"', '"F\\ud800"') + "\n")
    assert made.examples("s")[0] != one
    write_page(made, tmp_path / "deep" / "page.html")
    assert "F\\ud800" in (tmp_path / "deep" / "page.html").read_text(encoding="utf-8")


def test_the_command_prints_the_tables_and_writes_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "cache"))
    run(tmp_path / "run", [shown(case(1), "one"), wrong(case(1), "two")])
    words = ["eval", "report", str(tmp_path / "run"), "--against", "two", "--markdown", str(tmp_path / "tables.md")]
    assert main(words) == 0
    assert "### Each against two, on the same cases" in capsys.readouterr().out
    assert "| one | 1 |" in (tmp_path / "tables.md").read_text()
    assert len(Read((tmp_path / "run" / "report.html").read_text()).of("details")) == 1
    assert main([*words, "--json", "--out", str(tmp_path / "other.html")]) == 0
    assert json.loads(capsys.readouterr().out)["paired"]["base"] == "two"
    assert (tmp_path / "other.html").is_file()


def test_a_directory_that_holds_no_run_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "report", str(tmp_path)]) == 2
    assert "there is no evaluation run in it" in capsys.readouterr().err


def test_scores_are_made_anew_without_a_model_and_kept_where_the_module_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "cache"))
    module = tmp_path / "module"
    module.mkdir()
    (module / "go.mod").write_text("module example.com/m\n\ngo 1.22\n")
    source = "package m\n\nfunc F() int { return 1 + 2 }\n"
    (module / "a.go").write_text(source)
    start = source.index("1")
    here = case(start, end=start + 5, truth="1 + 2", module=str(module))
    gone = case(7, module=str(tmp_path / "gone"))
    stale = wrong(here, "s", "stale", text="1 + 2")
    assert stale.answer is not None
    edit = stale.answer.edits[0]
    moved = type(edit)(start, start, "1 + 2")
    stale = type(stale)(here, "s", type(stale.answer)((moved,), 5.0), stale.scores)
    made = run(tmp_path / "run", [stale, shown(gone, "s"), failed(case(9, module=str(module)), "s")])
    assert main(["eval", "report", str(made.directory), "--rescore", "--json"]) == 0
    first, second, third = made.examples("s")
    assert first.scores is not None and third.scores is not None
    assert (first.scores.compiles, first.scores.exact, first.scores.judge) == (True, True, "")
    assert second == shown(gone, "s")
    assert third.scores.unjudged == "the system failed: it died"
    assert json.loads(capsys.readouterr().out)["figures"]["s"]["exact"]["value"] == 1.0
