"""Infill prompt forms as rows of data: how prefix, suffix and repository context become one token sequence.

Shared by serving, training and evaluation. An engine renders a form with its model's special tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from goassist_index.errors import ModelError
from goassist_models.gguf_header import GGUFHeader

Slot = Literal["PREFIX", "SUFFIX", "MIDDLE", "repo", "prefix", "suffix", "typed"]


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
        InfillForm("joined", ("PREFIX", "SUFFIX", "suffix", "MIDDLE", "repo", "prefix", "typed"), healed=True),
        InfillForm("anchored", ("PREFIX", "repo", "prefix", "SUFFIX", "suffix", "MIDDLE", "typed"), healed=True),
        InfillForm("psm", ("PREFIX", "repo", "prefix", "typed", "SUFFIX", "suffix", "MIDDLE"), healed=False),
        InfillForm("spm", ("SUFFIX", "suffix", "PREFIX", "repo", "prefix", "typed", "MIDDLE"), healed=False),
    )
}
DEFAULT_FORM = "joined"


@dataclass(frozen=True, slots=True)
class InfillTokens:
    """A model's special tokens for infilling, by their text (as in the GGUF vocabulary)."""

    prefix: str
    suffix: str
    middle: str
    stops: tuple[str, ...]


# Special tokens by model family, as their vocabularies spell them. A model need not have all `stops`.
FAMILIES: dict[str, InfillTokens] = {
    "qwen2.5-coder": InfillTokens(
        "<|fim_prefix|>",
        "<|fim_suffix|>",
        "<|fim_middle|>",
        ("<|endoftext|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<|im_end|>"),
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
    if prefix is not None and suffix is not None and middle is not None:
        return InfillTokens(prefix, suffix, middle, stops)
    known = frozenset(texts)
    for row in FAMILIES.values():
        if all(text.encode() in known for text in (row.prefix, row.suffix, row.middle)):
            more = tuple(text for text in row.stops if text.encode() in known)
            return InfillTokens(row.prefix, row.suffix, row.middle, tuple(dict.fromkeys(stops + more)))
    raise ModelError(
        "the model has no infill tokens, neither in its metadata nor in its vocabulary",
        path=str(header.path),
        cure="Use a model trained to fill in the middle, such as one of `goassist-lsp model list`",
    )


@dataclass(frozen=True, slots=True)
class InfillPrompt:
    """One prompt as parts of text, not yet tokens: `typed` is what was typed since the anchor (may be empty).

    The order is the form's; text is never parsed for special tokens, so source code cannot forge them. `note` is one
    line that is not in the file: it is shown to the model as a comment above the last line of `prefix`.
    """

    form: InfillForm
    prefix: str
    suffix: str
    repo: str = ""
    typed: str = ""
    note: str = ""

    @property
    def noted_prefix(self) -> str:
        """`prefix` with the note in it."""
        if not self.note:
            return self.prefix
        line = self.prefix.rfind("\n") + 1
        last = self.prefix[line:]
        indent = last[: len(last) - len(last.lstrip())]
        return f"{self.prefix[:line]}{indent}// {self.note}\n{last}"


@dataclass(frozen=True, slots=True)
class Segment:
    """One piece of a rendered prompt: a special token's text, or plain text, never parsed for such."""

    text: str
    special: bool


def render(prompt: InfillPrompt, tokens: InfillTokens) -> tuple[Segment, ...]:
    """Lay `prompt` out in its form's order, empty text slots left out.

    Each text slot is tokenized by itself: a token that straddled two slots would change with every key typed.
    """
    specials = {"PREFIX": tokens.prefix, "SUFFIX": tokens.suffix, "MIDDLE": tokens.middle}
    texts = {"repo": prompt.repo, "prefix": prompt.noted_prefix, "suffix": prompt.suffix, "typed": prompt.typed}
    segments = (
        Segment(specials[slot], True) if slot in specials else Segment(texts[slot], False) for slot in prompt.form.slots
    )
    return tuple(segment for segment in segments if segment.text)
