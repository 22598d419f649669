"""Claims about `bench needed`: exactly what the text of a hole needs of other files is shown, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from goassist_lsp.cli.bench_needed import CHOSEN, FILES, NONE, NOTE, Scored, _compared, scored
from goassist_models.engine.sequence import ScoredText
from goassist_models.evaluate.declarations import ModuleDeclarations
from goassist_models.evaluate.example import Case
from goassist_models.evaluate.judge import CompileJudge
from goassist_models.evaluate.needed_declarations import NeededDeclarations
from goassist_models.infill import InfillPrompt
from support.examples import case
from support.workspaces import lay_out

MODULE = """\
-- go.mod --
module example.com/shop

go 1.23
-- cart/cart.go --
package cart

import "example.com/shop/price"

func here() int { return 1 }

func (c *Cart) Pay() error {
	return c.desk.Take(limit, price.Sum(c.Lines), here())
}
-- cart/types.go --
package cart

// Cart is a list of lines.
type Cart struct {
	// Lines are what is bought.
	Lines []int
	desk  Desk
}

type Desk interface {
	Take(most, sum, now int) error
	Close()
}

const (
	least = 1
	limit = 100
)
-- price/price.go --
package price

// Sum adds up.
func Sum(lines []int) int {
	return len(lines)
}
"""
TRUTH = "c.desk.Take(limit, price.Sum(c.Lines), here())"


def place(root: Path, truth: str = TRUTH) -> Case:
    start = (root / "cart/cart.go").read_bytes().index(truth.encode())
    slices = ("cross-file", "cross-package")
    return case(1, file="cart/cart.go", start=start, end=start + len(truth), truth=truth, slices=slices)


def declarations(root: Path) -> NeededDeclarations:
    return NeededDeclarations(ModuleDeclarations.of(root, CompileJudge.open(root).packages))


def test_what_other_files_declare_is_needed_each_as_one_would_look_it_up(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "shop", MODULE)
    found = declarations(root).of(place(root), root)
    assert [(one.path.name, one.line) for one in found] == [
        ("types.go", "const limit = 100"),
        ("price.go", "func Sum(lines []int) int"),
        ("types.go", "Lines []int"),
        ("types.go", "desk  Desk"),
        ("types.go", "Take(most, sum, now int) error"),
    ]


def test_what_the_prompt_says_already_is_not_needed(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "shop", MODULE)
    known = "func Sum(lines []int) int {\n\treturn 0\n}\n// desk  Desk\n"
    lines = [one.line for one in declarations(root).of(place(root), root, known)]
    assert lines == ["const limit = 100", "Lines []int", "Take(most, sum, now int) error"]
    assert declarations(root).of(place(root, "here()"), root) == ()


@dataclass
class NotingEngine:
    """Finds a text as likely as its prompt is long."""

    prompts: list[InfillPrompt] = field(default_factory=list)

    async def score(self, prompt: InfillPrompt, text: str) -> ScoredText:
        self.prompts.append(prompt)
        shown = sum(len(file.text) for file in prompt.repo.files) if prompt.repo is not None else len(prompt.note)
        return ScoredText(nats=1000.0 - shown, tokens=5, bytes=len(text))


async def test_each_place_is_scored_without_and_in_both_forms_and_once(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "shop", MODULE)
    engine, out = NotingEngine(), tmp_path / "out.jsonl"
    cases = [place(root), place(root, "here()")]
    (one,) = await scored(engine, root, cases, out=out, model="m")  # type: ignore[arg-type]
    assert one.nats[FILES] < one.nats[NOTE] < one.nats[NONE] == 1000.0
    assert one.nats[CHOSEN] < one.nats[NONE]
    _, note, chosen, files = engine.prompts
    assert note.note.splitlines()[:2] == ["const limit = 100", "func Sum(lines []int) int"]
    assert chosen.note.splitlines() == list(reversed(one.chosen))
    assert "c.desk Desk" in one.chosen
    assert not any("here" in line for line in one.chosen)
    assert files.repo is not None
    assert [file.path for file in files.repo.files] == ["cart/types.go", "price/price.go"]
    assert not any(TRUTH in file.text for file in files.repo.files)
    assert await scored(engine, root, cases, out=out, model="m") == [one]  # type: ignore[arg-type]
    assert len(engine.prompts) == 4


def test_what_is_chosen_meets_what_is_needed_by_the_name_that_is_declared() -> None:
    needed = ("func (r *Raft) Leader() string", "func parse(text string) Term", "const limit = 100", "Lines []int")
    chosen = ("c.Lines []int", "c.rafts[0].Leader() string", "other(parse Term)", "limited()")
    assert Scored(case(1), {}, 1, needed, chosen).met == 2


def test_the_difference_is_of_the_places_that_are_asked_about() -> None:
    far = Scored(case(1, slices=("cross-file",)), {NONE: 9.0, NOTE: 6.0, FILES: 12.0}, 3, ("x",), ())
    near = Scored(case(2), {NONE: 2.0, NOTE: 2.0, FILES: 2.0}, 1, ("y",), ())
    alone, both = _compared([far, near], "cross-file", NOTE), _compared([far, near], "all", FILES)
    assert alone is not None and both is not None
    assert (alone.n, alone.difference) == (1, -1.0)
    assert (both.n, both.difference) == (2, 0.75)
