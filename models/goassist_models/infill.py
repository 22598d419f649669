"""Infill prompt forms as rows of data: how prefix, suffix and repository context become one token sequence.

Shared by serving, training and evaluation. An engine renders a form with its model's special tokens.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from goassist_index.errors import ModelError
from goassist_models.gguf_header import GGUFHeader

Slot = Literal["PREFIX", "SUFFIX", "MIDDLE", "repo", "prefix", "suffix", "typed", "given"]


@dataclass(frozen=True, slots=True)
class InfillForm:
    """One order of the prompt's parts. Upper-case slots are the model's special tokens, lower-case ones text.

    `healed`: the last word typed, or last text token, is taken back and decoding is held to its bytes.
    """

    name: str
    slots: tuple[Slot, ...]
    healed: bool


# Orders and their measured worth: docs/decisions/0002. What changes least stands first.
FORMS: dict[str, InfillForm] = {
    row.name: row
    for row in (
        InfillForm("joined", ("repo", "PREFIX", "SUFFIX", "suffix", "MIDDLE", "prefix", "typed"), healed=True),
        InfillForm("anchored", ("repo", "PREFIX", "prefix", "SUFFIX", "suffix", "MIDDLE", "typed"), healed=True),
        InfillForm("psm", ("repo", "PREFIX", "prefix", "typed", "SUFFIX", "suffix", "MIDDLE"), healed=False),
        InfillForm("spm", ("repo", "SUFFIX", "suffix", "PREFIX", "prefix", "typed", "MIDDLE"), healed=False),
    )
}
DEFAULT_FORM = "joined"
# Nothing is to be filled in: what somebody laid out already, such as the turns of a chat, is read as it is.
AS_GIVEN = InfillForm("as given", ("given",), healed=False)


@dataclass(frozen=True, slots=True)
class InfillTokens:
    """A model's special tokens for infilling, by their text (as in the GGUF vocabulary).

    `repo` and `file` stand before a repository's name and before the path of each of its files; "" where the model was
    not trained with such: repository context is then left out.
    """

    prefix: str
    suffix: str
    middle: str
    stops: tuple[str, ...]
    repo: str = ""
    file: str = ""


# Special tokens by model family, as their vocabularies spell them. A model need not have all `stops`.
FAMILIES: dict[str, InfillTokens] = {
    "qwen2.5-coder": InfillTokens(
        "<|fim_prefix|>",
        "<|fim_suffix|>",
        "<|fim_middle|>",
        ("<|endoftext|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<|im_end|>"),
        repo="<|repo_name|>",
        file="<|file_sep|>",
    ),
    "starcoder": InfillTokens(
        "<fim_prefix>",
        "<fim_suffix>",
        "<fim_middle>",
        ("<|endoftext|>", "<fim_pad>", "<file_sep>", "<|im_end|>"),
    ),
    "deepseek-coder": InfillTokens(
        "<｜fim▁begin｜>",  # noqa: RUF001
        "<｜fim▁hole｜>",  # noqa: RUF001
        "<｜fim▁end｜>",  # noqa: RUF001
        ("<｜end▁of▁sentence｜>", "<|EOT|>"),  # noqa: RUF001
    ),
    "codellama": InfillTokens("▁<PRE>", "▁<SUF>", "▁<MID>", ("▁<EOT>", "</s>")),
    "santacoder": InfillTokens("<fim-prefix>", "<fim-suffix>", "<fim-middle>", ("<|endoftext|>", "<fim-pad>")),
}

DEFAULT_FAMILY = "qwen2.5-coder"

# Newer and older spellings of the metadata keys that name infill tokens by id.
_ID_KEYS = {
    "prefix": ("tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.prefix_token_id"),
    "suffix": ("tokenizer.ggml.fim_suf_token_id", "tokenizer.ggml.suffix_token_id"),
    "middle": ("tokenizer.ggml.fim_mid_token_id", "tokenizer.ggml.middle_token_id"),
}
_STOP_ID_KEYS = tuple(
    f"tokenizer.ggml.{name}_token_id" for name in ("eos", "eot", "fim_pad", "fim_rep", "fim_sep", "eom")
)


def tokens_of(header: GGUFHeader) -> InfillTokens:
    """Find a model's infill tokens: by the ids its metadata names, else by a known family's texts.

    Raises ModelError when it has none: such a model cannot fill a hole.
    """
    texts = header.tokens

    def named(keys: tuple[str, ...]) -> str | None:
        for key in keys:
            token_id = header.integer(key)
            if token_id is not None and 0 <= token_id < len(texts):
                return texts[token_id].decode("utf-8", "replace")
        return None

    stops = tuple(text for key in _STOP_ID_KEYS if (text := named((key,))) is not None)
    found = {slot: named(keys) for slot, keys in _ID_KEYS.items()}
    prefix, suffix, middle = found["prefix"], found["suffix"], found["middle"]
    known = frozenset(texts)
    if prefix is not None and suffix is not None and middle is not None:
        own = InfillTokens(prefix, suffix, middle, stops)
        alike = (row for row in FAMILIES.values() if (row.prefix, row.suffix, row.middle) == (prefix, suffix, middle))
        return _with_repository(own, next(alike, own), known)
    for row in FAMILIES.values():
        if all(text.encode() in known for text in (row.prefix, row.suffix, row.middle)):
            more = tuple(text for text in row.stops if text.encode() in known)
            own = InfillTokens(row.prefix, row.suffix, row.middle, tuple(dict.fromkeys(stops + more)))
            return _with_repository(own, row, known)
    raise ModelError(
        "the model has no infill tokens, neither in its metadata nor in its vocabulary",
        path=str(header.path),
        cure="Use a model trained to fill in the middle, such as one of `goassist-lsp model list`",
    )


def _with_repository(tokens: InfillTokens, row: InfillTokens, known: frozenset[bytes]) -> InfillTokens:
    there = row.repo.encode() in known and row.file.encode() in known
    return replace(tokens, repo=row.repo, file=row.file) if there else tokens


@dataclass(frozen=True, slots=True)
class RepoFile:
    """One file of a repository, or a part of it: `path` with slashes from the root."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class RepoContext:
    """What a prompt shows of a repository beside the file itself, in the order that models were trained with.

    `path` is that of the file that is written. Qwen2.5-Coder technical report (2024), section 3.2.2: file-level
    infilling behind other files of the repository.
    """

    name: str
    files: tuple[RepoFile, ...]
    path: str


@dataclass(frozen=True, slots=True)
class InfillPrompt:
    """One prompt as parts of text, not yet tokens: `typed` is what was typed since the anchor (may be empty).

    The order is the form's; text is never parsed for special tokens, so source code cannot forge them. `note` is text
    that is not in the file: each of its lines is shown to the model as a comment above the last line of `prefix`.
    `given` is the whole of a prompt that is no infill prompt (AS_GIVEN).
    """

    form: InfillForm
    prefix: str
    suffix: str
    repo: RepoContext | None = None
    typed: str = ""
    note: str = ""
    given: tuple[Segment, ...] = ()

    @property
    def noted_prefix(self) -> str:
        """`prefix` with the note in it."""
        if not self.note:
            return self.prefix
        line = self.prefix.rfind("\n") + 1
        last = self.prefix[line:]
        indent = last[: len(last) - len(last.lstrip())]
        note = "".join(f"{indent}// {each}\n" for each in self.note.splitlines())
        return f"{self.prefix[:line]}{note}{last}"


@dataclass(frozen=True, slots=True)
class Segment:
    """One piece of a rendered prompt: a special token's text, or plain text, never parsed for such."""

    text: str
    special: bool


def render(prompt: InfillPrompt, tokens: InfillTokens) -> tuple[Segment, ...]:
    """Lay `prompt` out in its form's order, empty text slots left out.

    Each text slot is tokenized by itself: a token that straddled two slots would change with every key typed.
    """
    filled = {
        "PREFIX": (Segment(tokens.prefix, True),),
        "SUFFIX": (Segment(tokens.suffix, True),),
        "MIDDLE": (Segment(tokens.middle, True),),
        "repo": _repository(prompt.repo, tokens),
        "prefix": (Segment(prompt.noted_prefix, False),),
        "suffix": (Segment(prompt.suffix, False),),
        "typed": (Segment(prompt.typed, False),),
        "given": prompt.given,
    }
    return tuple(segment for slot in prompt.form.slots for segment in filled[slot] if segment.text)


def laid_out(text: str, tokens: InfillTokens) -> tuple[Segment, ...]:
    """The segments of a prompt that somebody laid out with a model's infill tokens; of any other text, that text.

    Only for who says what the model reads: in source code such texts are no tokens.
    """
    special = [token for token in (tokens.prefix, tokens.suffix, tokens.middle, tokens.repo, tokens.file) if token]
    if not all(token in text for token in special[:3]):
        return (Segment(text, special=False),)
    parts = re.split(f"({'|'.join(map(re.escape, special))})", text)
    return tuple(Segment(part, part in special) for part in parts if part)


def parts_of(segments: tuple[Segment, ...], tokens: InfillTokens) -> tuple[str, str] | None:
    """The prefix and the suffix of an infill prompt that is laid out; None where it is none."""
    found = {tokens.prefix: "", tokens.suffix: "", tokens.middle: ""}
    slot = ""
    for segment in segments:
        if segment.special:
            slot = segment.text
        elif slot in found:
            found[slot] += segment.text
    if not any(segment.special for segment in segments):
        return None
    # What stands behind the middle token has been written already.
    return found[tokens.prefix] + found[tokens.middle], found[tokens.suffix]


def _repository(repo: RepoContext | None, tokens: InfillTokens) -> tuple[Segment, ...]:
    if repo is None or not tokens.repo or not tokens.file:
        return ()
    segments = [Segment(tokens.repo, True), Segment(f"{repo.name}\n", False)]
    for file in repo.files:
        segments += (Segment(tokens.file, True), Segment(f"{file.path}\n{file.text}\n", False))
    return (*segments, Segment(tokens.file, True), Segment(f"{repo.path}\n", False))
