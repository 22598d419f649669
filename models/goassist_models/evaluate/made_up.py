"""Go modules that are made up, as large as one likes: for benches of what grows with a file or a workspace.

They compile, and all of a module's packages are reachable from its main file: each imports two others.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

MODULE = "example.com/madeup"
_FUNCTION = """\
// Sum{n} adds up every value below its limit that is a multiple of step.
func Sum{n}(limit, step int) (int, error) {{
	if limit < 0 || step < 1 {{
		return 0, errors.New("sum {n}: nothing to add up")
	}}
	total := {n}
	for value := 0; value < limit; value += step {{
		total += value * {factor}
	}}
	return total, nil
}}

"""
_HOLE_BEFORE = "// measured is typed into.\nfunc measured(limit, count int) int {\n\ttotal := count\n\t"
_HOLE_AFTER = "\n\treturn total\n}\n\n"
_FUNCTION_LINES = _FUNCTION.count("\n")
PACKAGE_LINES = 1000


def file_with_hole(lines: int, imports: Iterable[str] = ()) -> tuple[str, str]:
    """Text of a main file of about `lines` lines, before and behind a hole in a function's body in its middle."""
    functions = _functions(lines)
    half = len(functions) // 2
    before = _head("main", imports) + "".join(functions[:half]) + _HOLE_BEFORE
    return before, _HOLE_AFTER + "".join(functions[half:]) + "func main() {\n\tprintln(measured(1, 2))\n}\n"


def write_module(root: Path, lines: int, package_lines: int = PACKAGE_LINES) -> tuple[list[Path], list[str]]:
    """Write a go.mod and packages of about `lines` lines in all; returns their files and the first one's import.

    The main file is left to the caller.
    """
    (root / "go.mod").write_text(f"module {MODULE}\n\ngo 1.23\n", encoding="utf-8")
    count = lines // package_lines
    names = [f"p{number}" for number in range(count)]
    files = []
    for number, name in enumerate(names):
        others = [f"{MODULE}/{names[n]}" for n in (2 * number + 1, 2 * number + 2) if n < count]
        path = root / name / f"{name}.go"
        path.parent.mkdir()
        text = _head(name, others) + "".join(_functions(package_lines))
        path.write_text(text.removesuffix("\n"), encoding="utf-8")
        files.append(path)
    return files, [f"{MODULE}/{name}" for name in names[:1]]


def _head(package: str, imports: Iterable[str]) -> str:
    paths = list(imports)
    lines = "".join(f'\t"{path}"\n' for path in paths)
    used = "".join(f"var from{number} = {path.rpartition('/')[2]}.Sum0\n\n" for number, path in enumerate(paths))
    between = "\n" if paths else ""
    return f'package {package}\n\nimport (\n\t"errors"\n{between}{lines})\n\n{used}'


def _functions(lines: int) -> list[str]:
    return [_FUNCTION.format(n=n, factor=n % 7 + 1) for n in range(max(1, lines // _FUNCTION_LINES))]
