"""The head of a Go file: its package clause and imports, read from a text whose rest need not parse.

imports.py adds to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from goassist_index.scan import Token, tokens
from goassist_index.verdict import ImportSpec

_BOM = "\ufeff"


class NoPlaceForImport(Exception):
    """The file's head is not in a state to which an import can be added safely; the message says why."""


@dataclass(frozen=True, slots=True)
class Line:
    """An import that stands on a line of its own. Offsets are code points; `end` is that of its line end."""

    start: int
    end: int
    spec: ImportSpec
    code: str
    comment: str


@dataclass(frozen=True, slots=True)
class Declaration:
    """One import declaration from `start` (the line of `import`) to `end` (a line end).

    `lines` are its imports, `paths` what they name. `shaped`: it looks as gofmt writes it, one import a line.
    `opened`: end of the line with the opening parenthesis; `closed`: start of the line with the closing one; -1
    for a declaration without parentheses.
    """

    start: int
    end: int
    lines: tuple[Line, ...]
    paths: tuple[str, ...]
    shaped: bool
    opened: int = -1
    closed: int = -1

    @property
    def takes_more(self) -> bool:
        """Whether an import may join it: never `import "C"`, which belongs to the comment above it."""
        return self.shaped and "C" not in self.paths and bool(self.lines)


@dataclass(frozen=True, slots=True)
class Header:
    """A file's head: `clause_end` is the end of the package clause's line, `end` that of the last import's line."""

    clause_end: int
    declarations: tuple[Declaration, ...]

    @property
    def end(self) -> int:
        """Offset of the line end behind which no import stands."""
        return self.declarations[-1].end if self.declarations else self.clause_end


def read_header(text: str) -> Header:
    """The head of a Go file. Raises NoPlaceForImport where it is broken, or shares a line with what follows."""
    reader = _Reader(text)
    reader.expect("package")
    if reader.next().kind != "word":
        raise NoPlaceForImport("the package clause has no name")
    clause_end = reader.line_end()
    declarations = []
    while reader.skip_to("import"):
        declarations.append(reader.declaration())
    return Header(clause_end, tuple(declarations))


@dataclass(slots=True)
class _Reader:
    """Tokens of a text, comments left out; `last` is the one read last."""

    text: str
    _tokens: Iterator[Token] = field(init=False)
    _ahead: list[Token] = field(init=False, default_factory=list)
    last: Token = field(init=False)

    def __post_init__(self) -> None:
        start = len(_BOM) if self.text.startswith(_BOM) else 0
        self._tokens = (token for token in tokens(self.text, start) if token.kind != "comment" or not token.closed)
        self.last = Token("newline", start, start, "")

    def next(self) -> Token:
        if self._ahead:
            self.last = self._ahead.pop()
        else:
            self.last = next(self._tokens, Token("newline", len(self.text), len(self.text), ""))
        if not self.last.closed:
            raise NoPlaceForImport("a string or comment before the imports' end is not closed")
        return self.last

    def back(self) -> None:
        self._ahead.append(self.last)

    def skip_blank(self) -> None:
        """Pass over line ends and semicolons."""
        while (token := self.next()).text in ("\n", ";"):
            pass
        del token
        self.back()

    def skip_to(self, word: str) -> bool:
        """Whether the next thing on a line is `word`, which is then read."""
        self.skip_blank()
        if self.next().text == word:
            return True
        self.back()
        return False

    def expect(self, word: str) -> None:
        self.skip_blank()
        if self.next().text != word:
            raise NoPlaceForImport(f"there is no {word} clause")

    def line_end(self) -> int:
        """Offset of the line end that must come next, before a carriage return."""
        token = self.next()
        if token.text == ";":
            token = self.next()
        if token.kind != "newline":
            raise NoPlaceForImport("the package clause or an import shares its line with something else")
        return token.start - int(self.text[: token.start].endswith("\r"))

    def declaration(self) -> Declaration:
        """The declaration whose `import` was read last."""
        start = self.last.start
        own_line = not self.text[_line_start(self.text, start) : start].strip(f" \t{_BOM}")
        if self.next().text != "(":
            self.back()
            line, path, shaped = self._import()
            end = self.line_end()
            shaped = shaped and own_line and line.end == end
            return Declaration(start, end, (line,), (path,), shaped)
        opened = _line_end(self.text, self.last.end)
        shaped = own_line and not _code_in(self.text[self.last.end : opened])
        lines: list[Line] = []
        paths: list[str] = []
        while True:
            self.skip_blank()
            if self.next().text == ")":
                break
            self.back()
            line, path, alone = self._import()
            alone = alone and not self.text[_line_start(self.text, line.start) : line.start].strip()
            shaped = shaped and alone and line.start > opened and (not lines or line.start > lines[-1].end)
            lines.append(line)
            paths.append(path)
        closed = _line_start(self.text, self.last.start)
        shaped = shaped and not self.text[closed : self.last.start].strip()
        return Declaration(start, self.line_end(), tuple(lines), tuple(paths), shaped, opened, closed)

    def _import(self) -> tuple[Line, str, bool]:
        """One import and whether it is the last code on its line."""
        token = self.next()
        start, name = token.start, ""
        if token.kind == "word" or token.text == ".":
            name = token.text
            token = self.next()
        if token.kind != "string" or token.text[0] == "'":
            raise NoPlaceForImport("an import is not finished")
        end = _line_end(self.text, token.end)
        behind = self.text[token.end : end].strip()
        path = token.text[1:-1]
        alone = not _code_in(behind) and "\n" not in self.text[start : token.end]
        return Line(start, end, ImportSpec(name, path), self.text[start : token.end], behind), path, alone


def _code_in(text: str) -> bool:
    """Whether a line's rest holds more than one comment."""
    text = text.strip()
    return bool(text) and not text.startswith("//") and not (text.startswith("/*") and text.find("*/") == len(text) - 2)


def _line_start(text: str, offset: int) -> int:
    return text.rfind("\n", 0, offset) + 1


def _line_end(text: str, offset: int) -> int:
    """Offset of the end of the line, before a carriage return."""
    end = text.find("\n", offset)
    end = end if end >= 0 else len(text)
    return end - int(end > offset and text[end - 1] == "\r")


def is_standard(path: str) -> bool:
    """Whether goimports groups it with the standard library: no dot in its first element."""
    return "." not in path.partition("/")[0]


def sort_key(spec: ImportSpec) -> tuple[str, str]:
    """What gofmt sorts imports by."""
    return spec.path, spec.name


def spelled(spec: ImportSpec) -> str:
    """The import as Go spells it: `name "path"`."""
    return f'{spec.name} "{spec.path}"' if spec.name else f'"{spec.path}"'


def nearest(declarations: Sequence[Declaration], path: str) -> tuple[Declaration, int] | None:
    """The import whose group a new one of `path` joins, as its declaration and its index there; None: no group.

    It is the one that shares most of the path, else the first of the same kind (goimports' choice).
    """
    best: tuple[int, Declaration, int] | None = None
    for declaration in declarations:
        for index, line in enumerate(declaration.lines):
            shared = _shared(line.spec.path, path)
            if shared == 0 and is_standard(line.spec.path) != is_standard(path):
                continue
            if best is None or shared > best[0]:
                best = (shared, declaration, index)
    return best and (best[1], best[2])


def _shared(a: str, b: str) -> int:
    """The number of elements that two paths have in common from their beginning, the last one not counted."""
    count = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        count += x == "/"
    return count
