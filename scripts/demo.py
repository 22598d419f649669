"""Shows on the terminal what an editor would show: a few completions in a real module, with verdicts and timings.

The module comes from the Go module proxy; the text that follows each cursor is cut out of the copy on disk first.
`--svg FILE` records the picture for the README.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from goassist_index.cachedir import cache_dir
from goassist_index.errors import GoassistError, SourceError
from goassist_lsp.app import Assistant
from goassist_lsp.settings import Options, resolve
from goassist_lsp.types import Completion, DocumentSnapshot
from goassist_models.engine import CancelToken

MODULE = "github.com/gorilla/mux@v1.8.1"
CONTEXT_LINES = 3


@dataclass(frozen=True, slots=True)
class Place:
    """A cursor: `cut` directly behind `before` (both as they stand in the file, once) is taken out."""

    file: str
    before: str
    cut: str


PLACES = (
    Place(
        "mux.go",
        "\tfor _, q := range r.regexp.queries {\n\t\tc.regexp.queries = ",
        "append(c.regexp.queries, copyRouteRegexp(q))",
    ),
    Place("mux.go", "func (r *Router) GetRoute(name string) *Route {\n\t", "return r.namedRoutes[name]"),
    Place("middleware.go", "\t\t\tmethods, err := route.GetMethods()\n\t\t\tif ", "err != nil {"),
    Place("middleware.go", "\tfor _, fn := range mwf {\n\t\t", "r.middlewares = append(r.middlewares, fn)"),
    Place("mux.go", "\tfor _, v := range arr {\n\t\tif ", "v == value {"),
)


def main() -> int:
    """Run the demo; exit status 0 when the module was had and every place was asked."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--svg", type=Path, help="record the picture into this file")
    args = arguments.parse_args()
    # A recorded picture must not be wrapped by the terminal it was made in.
    width = 110 if args.svg else None
    console = Console(record=args.svg is not None, width=width, force_terminal=True if args.svg else None)
    try:
        with tempfile.TemporaryDirectory(prefix="goassist-demo-") as scratch:
            root = fetch(MODULE, Path(scratch) / "module")
            asyncio.run(show(root, console))
    except GoassistError as error:
        console.print(f"[red]error:[/] {error}")
        return 2
    if args.svg:
        args.svg.write_text(self_contained(console.export_svg(title="goassist: ghost text that compiles")))
    return 0


def self_contained(svg: str) -> str:
    """The picture without the fonts that it would fetch: a viewer's own monospace font serves as well."""
    svg = re.sub(r"@font-face \{[^}]*\}", "", svg)
    return re.sub(r"<!-- Generated with Rich .*? -->", "", svg)


def cache_name() -> str:
    """The cache directory as a person would write it."""
    folder = cache_dir()
    return f"~/{folder.relative_to(Path.home())}" if folder.is_relative_to(Path.home()) else str(folder)


def fetch(module: str, target: Path) -> Path:
    """A writable copy of a module from the Go module proxy. Raises SourceError when it cannot be had."""
    try:
        answer = subprocess.run(
            ["go", "mod", "download", "-json", module], capture_output=True, text=True, cwd=target.parent, check=False
        )
    except FileNotFoundError as error:
        raise SourceError("the Go toolchain is not on PATH", path="go", cure="Install Go 1.23 or later") from error
    if answer.returncode != 0:
        raise SourceError(
            "the module could not be downloaded",
            path=module,
            cure=f"Check the network and GOPROXY ({answer.stderr.strip()[:200]})",
        )
    shutil.copytree(json.loads(answer.stdout)["Dir"], target)
    for path in [target, *target.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)
    return target


async def show(root: Path, console: Console) -> None:
    """Start an assistant on the module and print each place as an editor would show it."""
    settings, _ = resolve(Options())
    assistant = Assistant(settings)
    begun = time.perf_counter()
    try:
        await assistant.start((root,))
        if assistant.problems:
            raise assistant.problems[0]
        console.print(
            f"[bold]{MODULE}[/]   model and Go type service ready in {time.perf_counter() - begun:.1f} s"
            f"   [dim](cache: {cache_name()})[/]"
        )
        for place in PLACES:
            await show_place(assistant, root, place, console)
    finally:
        await assistant.close()


async def show_place(assistant: Assistant, root: Path, place: Place, console: Console) -> None:
    """Take the truth out on disk and in the buffer, complete there and print it."""
    path = root / place.file
    text = path.read_text()
    whole = place.before + place.cut
    if text.count(whole) != 1:
        raise SourceError("the demo's place is not in this version", path=str(path), cure=f"Pin {MODULE}")
    offset = text.index(whole) + len(place.before)
    holed = text[:offset] + text[offset + len(place.cut) :]
    path.write_text(holed)
    snapshot = DocumentSnapshot(path.as_uri(), path, 1, holed)
    await assistant.document_opened(snapshot)
    begun = time.perf_counter()
    completion = await assistant.complete(snapshot, offset, CancelToken())
    elapsed_ms = (time.perf_counter() - begun) * 1e3
    path.write_text(text)
    await assistant.document_closed(path)
    console.print()
    console.print(picture(place, holed, offset, completion))
    console.print(verdict_line(completion, elapsed_ms))


def picture(place: Place, text: str, offset: int, completion: Completion) -> Text:
    """The lines around the cursor with the ghost text in place."""
    before = text[:offset].split("\n")[-1 - CONTEXT_LINES :]
    after = text[offset:].split("\n")
    line = text.count("\n", 0, offset) + 1
    out = Text(f"{place.file}:{line}\n", style="bold blue")
    out.append("\n".join(before).expandtabs(4), style="default not bold")
    if completion.candidates:
        ghost = completion.candidates[0].insert_text
        out.append(ghost.expandtabs(4), style="italic bright_black not bold")
    out.append("▏", style="bold white")
    rest = after[0] + ("\n" + "\n".join(after[1:2]) if len(after) > 1 else "")
    out.append(rest.expandtabs(4), style="default not bold")
    return out


def verdict_line(completion: Completion, elapsed_ms: float) -> Text:
    """Verdict and where the time went."""
    times = {timing.stage: timing.ms for timing in completion.timings}
    if completion.candidates:
        verdict = completion.candidates[0].verdict
        out = Text("  ✓ type-checks " if verdict and verdict.status == "ok" else "  ? not checked ", style="bold green")
        if completion.candidates[0].trail:
            out.append(f"({', '.join(completion.candidates[0].trail)}) ", style="yellow")
    else:
        out = Text("  ∅ silent ", style="bold yellow")
        out.append(
            (completion.skip_reason or "; ".join(r.reason for r in completion.rejected))[:80] + " ", style="yellow"
        )
    out.append(
        f" {elapsed_ms:.0f} ms: generate {times.get('generate', 0):.0f}, check {times.get('check', 0):.1f};"
        f" {completion.read_tokens} of {completion.prompt_tokens} prompt tokens read,"
        f" {completion.generated_tokens} said",
        style="dim",
    )
    return out


if __name__ == "__main__":
    sys.exit(main())
