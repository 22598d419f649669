"""Claims about goassist_index.imports: where gofmt and goimports would put an import, whatever the rest looks like."""

from __future__ import annotations

import itertools
import random
import re
import subprocess
from pathlib import Path

import pytest

from goassist_index.header import NoPlaceForImport, read_header
from goassist_index.imports import change_for
from goassist_index.verdict import ImportSpec

BODY = "\n\nfunc f() {}\n"


def added(text: str, *imports: str) -> str:
    """The text with imports, each given as Go spells it but for the quotes."""
    specs = [ImportSpec(name, path) for name, _, path in (f" {spec}".rpartition(" ") for spec in imports)]
    change = change_for(text, [ImportSpec(spec.name.strip(), spec.path) for spec in specs])
    return change.apply(text) if change else text


CASES = {
    "no import": ("package p", ["os"], 'package p\n\nimport "os"'),
    "no import, a comment on the line": ("package p // here", ["os"], 'package p // here\n\nimport "os"'),
    "no import, two of them": (
        "package p",
        ["strings", "example.com/a"],
        'package p\n\nimport (\n\t"strings"\n\n\t"example.com/a"\n)',
    ),
    "with a name": ("package p", ["metav1 k8s.io/meta/v1"], 'package p\n\nimport metav1 "k8s.io/meta/v1"'),
    "build tag and package comment": (
        "//go:build linux\n\n// Package p does.\npackage p",
        ["os"],
        '//go:build linux\n\n// Package p does.\npackage p\n\nimport "os"',
    ),
    "the word import in a comment": (
        '// import "x"\npackage p\n\n// import "y"',
        ["os"],
        '// import "x"\npackage p\n\nimport "os"\n\n// import "y"',
    ),
    "one line becomes a block": ('package p\n\nimport "os"', ["fmt"], 'package p\n\nimport (\n\t"fmt"\n\t"os"\n)'),
    "one line of another kind": (
        'package p\n\nimport "example.com/a"',
        ["fmt"],
        'package p\n\nimport (\n\t"fmt"\n\n\t"example.com/a"\n)',
    ),
    "one line keeps its comments": (
        'package p\n\n// Why.\nimport _ "embed" // for x',
        ["os"],
        'package p\n\n// Why.\nimport (\n\t_ "embed" // for x\n\t"os"\n)',
    ),
    "several lines": (
        'package p\n\nimport "fmt"\nimport "os"',
        ["io"],
        'package p\n\nimport "fmt"\nimport "io"\nimport "os"',
    ),
    "several lines, before the first": (
        'package p\n\n// Why.\nimport "fmt"\nimport "os"',
        ["errors"],
        'package p\n\n// Why.\nimport "fmt"\nimport "errors"\nimport "os"',
    ),
    "sorted into its group": (
        'package p\n\nimport (\n\t"fmt"\n\t"strings"\n\n\t"example.com/a"\n)',
        ["os"],
        'package p\n\nimport (\n\t"fmt"\n\t"os"\n\t"strings"\n\n\t"example.com/a"\n)',
    ),
    "first and last": (
        'package p\n\nimport (\n\t"fmt"\n\t"os"\n)',
        ["time", "bytes"],
        'package p\n\nimport (\n\t"bytes"\n\t"fmt"\n\t"os"\n\t"time"\n)',
    ),
    "the group that shares most": (
        'package p\n\nimport (\n\t"fmt"\n\n\t"github.com/x/y"\n\n\t"example.com/m/a"\n)',
        ["example.com/m/b", "github.com/q/r"],
        'package p\n\nimport (\n\t"fmt"\n\n\t"github.com/q/r"\n\t"github.com/x/y"\n\n\t"example.com/m/a"\n'
        '\t"example.com/m/b"\n)',
    ),
    "a new group for others": (
        'package p\n\nimport (\n\t"fmt"\n)',
        ["example.com/a"],
        'package p\n\nimport (\n\t"fmt"\n\n\t"example.com/a"\n)',
    ),
    "a new group for the standard library": (
        'package p\n\nimport (\n\t// Ours.\n\t"example.com/a"\n)',
        ["fmt"],
        'package p\n\nimport (\n\t"fmt"\n\n\t// Ours.\n\t"example.com/a"\n)',
    ),
    "below a group's comment": (
        'package p\n\nimport (\n\t// Standard.\n\t"fmt"\n\t"os"\n)',
        ["errors"],
        'package p\n\nimport (\n\t// Standard.\n\t"errors"\n\t"fmt"\n\t"os"\n)',
    ),
    "above an import's comment": (
        'package p\n\nimport (\n\t// Why.\n\t_ "embed"\n)',
        ["bytes"],
        'package p\n\nimport (\n\t"bytes"\n\t// Why.\n\t_ "embed"\n)',
    ),
    "not between a comment and its import": (
        'package p\n\nimport (\n\t"fmt"\n\t// Why.\n\t_ "net/http/pprof"\n\t"os"\n)',
        ["net/http"],
        'package p\n\nimport (\n\t"fmt"\n\t"net/http"\n\t// Why.\n\t_ "net/http/pprof"\n\t"os"\n)',
    ),
    "comments stay aligned": (
        'package p\n\nimport (\n\t"fmt"     // a\n\t"strings" // b\n\t"time"    // c\n)',
        ["os"],
        'package p\n\nimport (\n\t"fmt" // a\n\t"os"\n\t"strings" // b\n\t"time"    // c\n)',
    ),
    'never to import "C"': (
        'package p\n\n// #include <math.h>\nimport "C"',
        ["os"],
        'package p\n\n// #include <math.h>\nimport "C"\n\nimport "os"',
    ),
    'beside import "C"': (
        'package p\n\n/*\nint f();\n*/\nimport "C"\n\nimport (\n\t"fmt"\n)',
        ["os"],
        'package p\n\n/*\nint f();\n*/\nimport "C"\n\nimport (\n\t"fmt"\n\t"os"\n)',
    ),
    "several blocks": (
        'package p\n\nimport (\n\t"fmt"\n)\n\nimport (\n\t"example.com/a"\n)',
        ["os", "example.com/b"],
        'package p\n\nimport (\n\t"fmt"\n\t"os"\n)\n\nimport (\n\t"example.com/a"\n\t"example.com/b"\n)',
    ),
    "an empty block": ("package p\n\nimport ()", ["os"], 'package p\n\nimport ()\n\nimport "os"'),
    "a block on one line": (
        'package p\n\nimport ("fmt"; "io")',
        ["os"],
        'package p\n\nimport ("fmt"; "io")\n\nimport "os"',
    ),
    "there already": ('package p\n\nimport "os"', ["os"], 'package p\n\nimport "os"'),
    "there for its effects": (
        'package p\n\nimport (\n\t_ "embed"\n)',
        ["embed"],
        'package p\n\nimport (\n\t"embed"\n\t_ "embed"\n)',
    ),
    "raw strings": ("package p\n\nimport (\n\t`fmt`\n)", ["os"], 'package p\n\nimport (\n\t`fmt`\n\t"os"\n)'),
}
GOFMT_AGREES = CASES.keys() - {"a block on one line", "raw strings"}


@pytest.mark.parametrize("name", CASES)
def test_stands_where_gofmt_and_goimports_would_put_it(name: str) -> None:
    before, imports, after = CASES[name]
    assert added(before + BODY, *imports) == after + BODY


def test_gofmt_changes_nothing_more(tmp_path: Path) -> None:
    files = {}
    for name in sorted(GOFMT_AGREES):
        before, imports, _ = CASES[name]
        files[name] = tmp_path / f"{len(files)}.go"
        files[name].write_text(added(before + BODY, *imports))
    listed = subprocess.run(["gofmt", "-l", *files.values()], capture_output=True, text=True, check=True).stdout
    assert [name for name, path in files.items() if str(path) in listed.splitlines()] == []


@pytest.mark.parametrize("name", CASES)
def test_line_ends_and_byte_order_mark_stay(name: str) -> None:
    before, imports, after = CASES[name]
    crlf = (before + BODY).replace("\n", "\r\n")
    assert added(crlf, *imports) == (after + BODY).replace("\n", "\r\n")
    assert added("\ufeff" + before + BODY, *imports) == "\ufeff" + after + BODY
    change = change_for(crlf, [ImportSpec("", path) for path in ("example.com/z", "sort")])
    assert change is not None
    for offset in (change.start, change.end):
        assert crlf[offset - 1 : offset + 1] != "\r\n", "a position between the characters of a line end"


@pytest.mark.parametrize(
    "rest", ["", "\n", "\n\nfunc f() {\n\tx := := \n", "\n\nfunc f( {", "\n\ntype t struct {\n\ta `b"]
)
@pytest.mark.parametrize("name", CASES)
def test_the_rest_of_the_file_need_not_parse(name: str, rest: str) -> None:
    before, imports, after = CASES[name]
    assert added(before + rest, *imports) == after + rest


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no package clause"),
        ("func f() {}\n", "no package clause"),
        ("package\n", "has no name"),
        ("package p; func f() {}\n", "shares its line"),
        ('package p\n\nimport "fmt"; func f() {}\n', "shares its line"),
        ('package p\n\nimport (\n\t"fmt\n)\n', "not closed"),
        ('package p\n\nimport (\n\t"fmt"\n\nfunc f() {}\n', "not finished"),
        ("package p\n\nimport\n\nfunc f() {}\n", "not finished"),
        ('package p\n\nimport (\n\tx y "fmt"\n)\n', "not finished"),
        ("package p\n\n/* import", "not closed"),
    ],
)
def test_a_broken_head_takes_no_import(text: str, reason: str) -> None:
    with pytest.raises(NoPlaceForImport, match=reason):
        change_for(text, [ImportSpec("", "os")])


def test_a_change_is_small_and_lies_in_the_head() -> None:
    text = 'package p\n\nimport (\n\t"fmt"\n\t"os"\n)\n' + BODY
    change = change_for(text, [ImportSpec("", "io")])
    assert change is not None
    assert (change.start, change.end, change.new) == (text.index('"fmt"') + 5, text.index('"fmt"') + 5, '\n\t"io"')


def test_any_imports_added_to_any_leave_code_that_gofmt_and_the_parser_take(tmp_path: Path) -> None:
    chance = random.Random(5)
    paths = [
        "bytes",
        "fmt",
        "io",
        "net/http",
        "net/url",
        "strings",
        "a.b/c",
        "a.b/c/d",
        "github.com/x/y",
        "k8s.io/z/v1",
    ]
    heads = ["", "// Package p.\n", "//go:build linux\n\n"]
    comments = ["", " // c", " /* d */"]
    files = []
    for number in range(150):
        specs = chance.sample(paths, chance.randrange(1, 6))
        parts = []
        for chunk in (specs[: len(specs) // 2], specs[len(specs) // 2 :]):
            rows = [
                ("\t// why\n" if chance.random() < 0.2 else "")
                + f'\t{chance.choice(["", "", "_ ", "n "])}"{path}"{chance.choice(comments)}\n'
                + ("\n" if chance.random() < 0.2 else "")
                for path in sorted(chunk)
            ]
            if rows:
                one = len(rows) == 1 and chance.random() < 0.5
                parts.append(f"import {rows[0].split(chr(9))[-1].strip()}" if one else f"import (\n{''.join(rows)})")
        if chance.random() < 0.3:
            parts.insert(chance.randrange(len(parts) + 1), '// int f();\nimport "C"')
        text = f"{chance.choice(heads)}package p\n\n" + "\n\n".join(parts) + BODY
        clean = subprocess.run(["gofmt"], input=text, capture_output=True, text=True, check=True).stdout
        new = [ImportSpec(chance.choice(["", "", "m"]), path) for path in chance.sample(paths, 2)]
        change = change_for(clean, new)
        result = change.apply(clean) if change else clean
        files.append(tmp_path / f"{number}.go")
        files[-1].write_text(result)
        then = [line.spec for declaration in read_header(result).declarations for line in declaration.lines]
        was = [line.spec for declaration in read_header(clean).declarations for line in declaration.lines]
        assert sorted(map(repr, then)) == sorted({*map(repr, was), *map(repr, new)}), result
        assert sorted(re.findall("//.*", result)) == sorted(re.findall("//.*", clean)), "a comment is gone"
    listed = subprocess.run(["gofmt", "-l", "-e", *files], capture_output=True, text=True, check=True)
    assert [Path(name).read_text() for name in listed.stdout.splitlines()] == []


def test_an_import_taken_out_of_the_standard_library_comes_back_where_it_stood() -> None:
    root = subprocess.run(["go", "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip()
    folders = [Path(root) / "src" / name for name in ("net/http", "go/types", "go/parser", "encoding/json", "text")]
    asked = put_back = 0
    for path in sorted(file for folder in folders for file in folder.rglob("*.go") if "testdata" not in file.parts):
        text = path.read_text(encoding="utf-8")
        for declaration in read_header(text).declarations:
            for before, line in itertools.pairwise(declaration.lines):
                if not declaration.takes_more or line.start != before.end + 2 or line.comment or before.comment:
                    continue
                without = text[: before.end] + text[line.end :]
                change = change_for(without, [line.spec])
                assert change is not None
                asked += 1
                put_back += change.apply(without) == text
    # Where a file has two groups of one kind, nothing says in which one it stood.
    assert asked > 500
    assert put_back / asked > 0.99
