"""Cuts Go source into what can be found and shown: packages, types, functions.

The first stage of the index. A file's own part (`Outline`) follows from its bytes alone, so that it can be kept by
digest; what needs the other files of a package (a type's methods, the package's exported names) is put together from
outlines. Broken code gives what parses. Where the source is taken from: fileset.py; where it goes: store.py.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tree_sitter import Node, Tree

from goassist_index import syntax

Kind = Literal["package", "type", "function"]

# Raised when the same bytes give other chunks: stored outlines are then made anew.
CHUNKS_VERSION = 1
DIGEST_BYTES = 16
# About sixty lines. What is longer is cut, at statements where there are any.
MAX_CHARS = 2400
# A line of an outline, or a signature, that is longer is shortened.
MAX_LINE_CHARS = 300

# With the comment lines right above it, which belong to it.
_DECLARATION = re.compile(rb"^(?://[^\n]*\n)*(?:func|type|var|const|import|package)\b", re.MULTILINE)
_DIRECTIVE = re.compile(r"//(?:go:|nolint|line |export |\s*\+build)")


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk without its place: what it is called and holds. `lines` are 1-based and inclusive.

    `text[:head_chars]` is the doc comment and the signature (or a type's first line, or the package clause). A long
    function gives several pieces with the same symbol, each beginning with the signature.
    """

    kind: Kind
    symbol: str
    receiver: str
    package_name: str
    lines: tuple[int, int]
    text: str
    head_chars: int

    @property
    def digest(self) -> str:
        """32 hexadecimal characters that name kind, symbol and text."""
        data = "\0".join((self.kind, self.symbol, self.text)).encode()
        return hashlib.blake2b(data, digest_size=DIGEST_BYTES).hexdigest()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece in its place: `path` from the workspace's root with slashes, `package` the import path."""

    path: str
    symbol: str
    receiver: str
    package: str
    kind: Kind
    lines: tuple[int, int]
    text: str
    digest: str


@dataclass(frozen=True, slots=True)
class TypeDeclaration:
    """One type of a file as its source has it, behind its doc comment; `text[:head_chars]` ends its first line."""

    name: str
    lines: tuple[int, int]
    text: str
    head_chars: int


@dataclass(frozen=True, slots=True)
class Outline:
    """What one file adds to the index: `methods` are (receiver, signature), `exported` lines of the package's."""

    package_name: str
    doc: str
    clause_line: int
    imports: tuple[str, ...]
    exported: tuple[str, ...]
    types: tuple[TypeDeclaration, ...]
    methods: tuple[tuple[str, str], ...]
    functions: tuple[Piece, ...]


def digest_of(source: bytes) -> str:
    """The name of a file's content: 32 hexadecimal characters."""
    return hashlib.blake2b(source, digest_size=DIGEST_BYTES).hexdigest()


def outline_of(source: bytes) -> Outline:
    """Read one file (UTF-8; other bytes are replaced). Never fails: what does not parse is left out.

    In code that does not parse, a declaration begins where a line begins with its keyword, as gofmt has it: one that is
    being written must not take those behind it along.
    """
    reader = _Reader(source)
    tree = syntax.parse(source)
    if not tree.root_node.has_error:
        reader.read(tree)
        return reader.outline()
    starts = sorted({0, *(match.start() for match in _DECLARATION.finditer(source))})
    for start, end in zip(starts, [*starts[1:], len(source)], strict=True):
        reader.source, reader.row = source[start:end], source.count(b"\n", 0, start)
        reader.read(syntax.parse(reader.source))
    return reader.outline()


def package_pieces(package: str, files: Sequence[tuple[str, Outline]]) -> list[tuple[str, Piece]]:
    """The type and package pieces of the files of one package, each with the name of the file it stands in.

    `package` is the import path. Test files (by name) add types and methods, but nothing to the package's outline.
    """
    methods: dict[str, list[str]] = {}
    for _, outline in files:
        for receiver, signature in outline.methods:
            methods.setdefault(receiver, []).append(signature)
    found: list[tuple[str, Piece]] = []
    for name, outline in files:
        for declaration in outline.types:
            pieces = _type_pieces(declaration, outline.package_name, sorted(methods.get(declaration.name, ())))
            found.extend((name, piece) for piece in pieces)
    plain = [(name, outline) for name, outline in files if not name.endswith("_test.go")]
    if plain:
        documented = next((name for name, outline in plain if outline.doc), plain[0][0])
        found.extend((documented, piece) for piece in _outline_pieces(package, dict(plain), documented))
    return found


def chunks_of(path: str, package: str, source: bytes) -> list[Chunk]:
    """All chunks of one file taken alone, as if it were its whole package."""
    outline = outline_of(source)
    name = path.rpartition("/")[2]
    pieces = [piece for _, piece in package_pieces(package, [(name, outline)])]
    return [placed(piece, path, package) for piece in (*pieces, *outline.functions)]


def placed(piece: Piece, path: str, package: str) -> Chunk:
    """The chunk that a piece is at a place."""
    return Chunk(path, piece.symbol, piece.receiver, package, piece.kind, piece.lines, piece.text, piece.digest)


def _type_pieces(declaration: TypeDeclaration, package_name: str, methods: Sequence[str]) -> Iterator[Piece]:
    text = declaration.text + ("\n\n" + "\n".join(methods) if methods else "")
    first_line = text[: declaration.head_chars].rpartition("\n")[2]
    first, last = declaration.lines
    for start, part in _parts(text):
        row = first + text.count("\n", 0, start)
        lines = (min(row, last), min(row + part.count("\n"), last))
        head, shown = (declaration.head_chars, part) if start == 0 else (len(first_line), f"{first_line}\n{part}")
        yield Piece("type", declaration.name, declaration.name, package_name, lines, shown, min(head, len(shown)))


def _outline_pieces(package: str, files: dict[str, Outline], documented: str) -> Iterator[Piece]:
    outline = files[documented]
    imports = sorted({path for other in files.values() for path in other.imports})
    exported = [line for other in files.values() for line in other.exported]
    clause = f'package {outline.package_name} // import "{package}"'
    head = f"{outline.doc}\n{clause}" if outline.doc else clause
    body = [f"import {' '.join(imports)}"] if imports else []
    row = outline.clause_line
    lines = (max(1, row - outline.doc.count("\n") - 1) if outline.doc else row, row)
    for start, part in _parts("\n".join((head, *body, *exported))):
        chars, shown = (len(head), part) if start == 0 else (len(clause), f"{clause}\n{part}")
        name = outline.package_name
        yield Piece("package", name, "", name, lines, shown, min(chars, len(shown)))


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """`text` whole, or in parts of at most MAX_CHARS cut at line ends, each with the offset that it begins at."""
    start = 0
    while len(text) - start > MAX_CHARS:
        end = text.rfind("\n", start + 1, start + MAX_CHARS) + 1 or start + MAX_CHARS
        yield start, text[start:end].rstrip("\n")
        start = end
    yield start, text[start:]


class _Reader:
    """A walk over the top-level declarations of a file, or of a stretch of it that begins in line `row` (from 0)."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.row = 0
        self.package_name = ""
        self.doc = ""
        self.clause_line = 1
        self.imports: list[str] = []
        self.exported: list[str] = []
        self.types: list[TypeDeclaration] = []
        self.methods: list[tuple[str, str]] = []
        self.functions: list[Piece] = []

    def read(self, tree: Tree) -> None:
        comments: list[Node] = []
        last_row = -1
        for node in _declarations(tree.root_node):
            row = node.start_point.row
            if comments and comments[-1].end_point.row + 1 < row:
                comments = []
            if node.type == "comment":
                if row > last_row:  # else it stands behind a declaration, and belongs to nothing that follows
                    comments.append(node)
            elif node.is_named:
                self._declaration(node, comments)
                comments = []
                last_row = node.end_point.row

    def outline(self) -> Outline:
        return Outline(
            self.package_name,
            self.doc,
            self.clause_line,
            tuple(self.imports),
            tuple(self.exported),
            tuple(self.types),
            tuple(self.methods),
            tuple(self.functions),
        )

    def _declaration(self, node: Node, comments: list[Node]) -> None:
        match node.type:
            case "package_clause":
                named = next((child for child in node.named_children if child.type == "package_identifier"), None)
                self.package_name = self._text(named) if named is not None else ""
                self.doc = self._comment_text(comments)
                self.clause_line = self.row + node.start_point.row + 1
            case "import_declaration":
                strings = (inner for inner in syntax.walk(node) if inner.type in syntax.STRING_TYPES)
                self.imports += [self._text(inner)[1:-1] for inner in strings]
            case "function_declaration" | "method_declaration":
                self._function(node, comments)
            case "type_declaration":
                for spec in node.named_children:
                    if spec.type in ("type_spec", "type_alias"):
                        self._type(spec, node, comments)
            case "const_declaration" | "var_declaration":
                self._values(node)

    def _function(self, node: Node, comments: list[Node]) -> None:
        signature = _shortened(syntax.signature(node, self.source))
        name = syntax.function_name(node, self.source)
        receiver = name.rpartition(".")[0] if node.type == "method_declaration" else ""
        if receiver:
            self.methods.append((receiver, signature))
        elif name[:1].isupper():
            self.exported.append(signature)
        doc = self._comment_text(comments)
        doc += "\n" if doc else ""
        first = self.row + (comments[0] if comments else node).start_point.row + 1
        for number, (start, end) in enumerate(self._function_parts(node)):
            slice_ = self.source[start:end].decode("utf-8", "replace").rstrip()
            if number == 0:
                body = node.child_by_field_name("body")
                header_end = body.start_byte if body is not None else node.end_byte
                header = self.source[start:header_end].decode("utf-8", "replace").rstrip()
                text, head = doc + slice_, len(doc) + len(header)
            else:
                text, head = f"{signature} {{\n\t// …\n{slice_}", len(signature)
            row = self.row + self.source.count(b"\n", 0, start) + 1
            lines = (first if number == 0 else row, row + slice_.count("\n"))
            head = min(head, len(text))
            self.functions.append(Piece("function", name, receiver, self.package_name, lines, text, head))

    def _function_parts(self, node: Node) -> list[tuple[int, int]]:
        """Byte spans that a function is cut into, at the beginnings of statements where it is too long."""
        if node.end_byte - node.start_byte <= MAX_CHARS:
            return [(node.start_byte, node.end_byte)]
        cuts = [offset for offset in self._statement_lines(node) if node.start_byte < offset < node.end_byte]
        spans: list[tuple[int, int]] = []
        start = node.start_byte
        while node.end_byte - start > MAX_CHARS:
            reachable = [cut for cut in cuts if start < cut <= start + MAX_CHARS]
            if not reachable:
                # A statement longer than a chunk, as a table of cases: at a line's end.
                line_end = self.source.rfind(b"\n", start + 1, start + MAX_CHARS) + 1
                reachable = [line_end or self._character_start(start + MAX_CHARS)]
            spans.append((start, reachable[-1]))
            start = reachable[-1]
        return [*spans, (start, node.end_byte)]

    def _character_start(self, offset: int) -> int:
        while offset > 0 and offset < len(self.source) and self.source[offset] & 0xC0 == 0x80:
            offset -= 1
        return offset

    def _statement_lines(self, node: Node) -> list[int]:
        """Beginnings of the lines that statements begin; within too long ones those of theirs too."""
        found: set[int] = set()
        stack = [node]
        while stack:
            current = stack.pop()
            for child in current.named_children:
                if child.type in syntax.STATEMENT_TYPES and child.type != "block":
                    line = self.source.rfind(b"\n", 0, child.start_byte) + 1
                    if not self.source[line : child.start_byte].strip():
                        found.add(line)
                if child.end_byte - child.start_byte > MAX_CHARS // 2:
                    stack.append(child)
        return sorted(found)

    def _type(self, spec: Node, declaration: Node, comments: list[Node]) -> None:
        name_node = spec.child_by_field_name("name")
        if name_node is None:
            return
        name = self._text(name_node)
        grouped = declaration.named_child_count > 1 or self.source[declaration.start_byte :][:8].split()[-1:] == [b"("]
        doc = self._comment_text(self._comments_before(spec) if grouped else comments)
        doc += "\n" if doc else ""
        body = "type " + self._text(spec)
        if grouped:
            body = body.replace("\n\t", "\n")
        first_line = body.partition("\n")[0]
        row = self.row + spec.start_point.row + 1
        lines = (row - doc.count("\n"), self.row + spec.end_point.row + 1)
        self.types.append(TypeDeclaration(name, lines, doc + body, len(doc) + len(first_line)))
        if name[:1].isupper():
            self.exported.append(_shortened(first_line.removesuffix("{").rstrip()))

    def _comments_before(self, spec: Node) -> list[Node]:
        found: list[Node] = []
        row = spec.start_point.row
        before = spec.prev_sibling
        while before is not None and before.type == "comment" and before.end_point.row + 1 == row:
            line = self.source.rfind(b"\n", 0, before.start_byte) + 1
            if self.source[line : before.start_byte].strip():
                break  # it stands behind the declaration before
            found.insert(0, before)
            row = before.start_point.row
            before = before.prev_sibling
        return found

    def _values(self, node: Node) -> None:
        """Exported constants and variables, each with the first line of its specification."""
        keyword = node.type.partition("_")[0]
        listed = (child for child in node.named_children if child.type == "var_spec_list")
        for spec in (*node.named_children, *(inner for group in listed for inner in group.named_children)):
            if spec.type in ("const_spec", "var_spec") and self.source[spec.start_byte : spec.start_byte + 1].isupper():
                line = self._text(spec).partition("\n")[0]
                self.exported.append(_shortened(f"{keyword} {line}"))

    def _comment_text(self, comments: Iterable[Node]) -> str:
        texts = (self._text(comment) for comment in comments)
        text = "\n".join(text.rstrip() for text in texts if not _DIRECTIVE.match(text))
        # A manual above a function would drown it.
        end = text.rfind("\n", 1, MAX_CHARS) if len(text) > MAX_CHARS else len(text)
        return text[: end if end >= 0 else MAX_CHARS]

    def _text(self, node: Node) -> str:
        return syntax.text(node, self.source)


def _declarations(root: Node) -> Iterator[Node]:
    """Top-level nodes, those within a stretch that does not parse included."""
    for node in root.children:
        if node.type == "ERROR":
            yield from node.children
        else:
            yield node


def _shortened(line: str) -> str:
    return line if len(line) <= MAX_LINE_CHARS else line[: MAX_LINE_CHARS - 2] + " …"
