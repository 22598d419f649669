"""A loaded model's vocabulary: text to tokens, tokens to bytes, and which tokens end a generation.

Used by the llama engine; everything that needs a walk over all tokens is done once, at load (walk.py).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from goassist_index.errors import ModelError
from goassist_models.engine.healing import HealTable
from goassist_models.engine.library import load_library, load_model
from goassist_models.engine.walk import walk
from goassist_models.gguf_header import GGUFHeader, read_header
from goassist_models.infill import InfillPrompt, InfillTokens, render, tokens_of

_UNKNOWN, _UNUSED, _CONTROL, _USER_DEFINED = 1 << 0, 1 << 1, 1 << 3, 1 << 4  # llama_token_attr
# Byte-level vocabularies merge a word with the one sign or blank before it, and no further.
_LAST_WORD = re.compile(r"[^\r\n\w]?[^\W\d_]+\Z")
_LONGEST_WORD = 24  # a longer one is taken back in part: each of its tokens costs a decode
_INSIDE_CHARACTER = bytes(range(0x80, 0xC0))  # in UTF-8, all bytes of a character but its first
_TAG = re.compile(rb"<[^\s<>]{2,}>")


class Vocabulary:
    """Tokens of one loaded model. `library` is the llama_cpp module, `model` its model pointer.

    `key` says which file and which build of the library they are of: what was found by it before is used again.
    """

    def __init__(
        self, library: Any, model: Any, header: GGUFHeader, infill: InfillTokens, key: str | None = None
    ) -> None:
        self._library = library
        self._vocab = library.llama_model_get_vocab(model)
        self.infill = infill
        found = walk(library, self._vocab, key)
        self.pieces = found.pieces
        self.size = len(found.pieces)
        # Only what is asked for by its text: a whole table of them would be held as long as the model is.
        named = {text.encode() for text in (infill.prefix, infill.suffix, infill.middle, *infill.stops)}
        special = set(_with(found.attributes, _USER_DEFINED | _CONTROL))
        self._ids = {text: token for token, text in enumerate(header.tokens) if text in named or token in special}
        tags = {token: header.tokens[token] for token in special if _TAG.fullmatch(header.tokens[token])}
        # A model that writes any special token has left the code: all of them end a generation.
        self.ends = frozenset(
            {
                *_with(found.attributes, _UNKNOWN | _UNUSED | _CONTROL),
                *np.flatnonzero(found.ends).tolist(),
                *(self._ids[text.encode()] for text in infill.stops if text.encode() in self._ids),
                *tags,
            }
        )
        self.healing = HealTable(self.pieces, self.ends, found.order)
        forged = sorted((text.decode("utf-8", "replace") for text in tags.values()), key=len, reverse=True)
        self._forged = re.compile("|".join(map(re.escape, forged))) if forged else None

    def special(self, text: str) -> int:
        """Return the id of a special token by its text; raises ModelError when the model has none such."""
        token = self._ids.get(text.encode())
        if token is None:
            raise ModelError(
                f"the model's vocabulary has no token {text}",
                cure="Use a model trained to fill in the middle, such as one of `goassist-lsp model list`",
            )
        return token

    def tokenize(self, text: str) -> list[int]:
        """Tokenize plain text; nothing in it becomes a special token, whatever it spells."""
        if self._forged is None or "<" not in text:
            return self._tokenize_plain(text)
        # llama.cpp matches user-defined tokens even with parse_special off: cut such texts after their first
        # character, so that source code about infill tokens cannot forge one.
        tokens, start = [], 0
        for match in self._forged.finditer(text):
            tokens += self._tokenize_plain(text[start : match.start() + 1])
            start = match.start() + 1
        return tokens + self._tokenize_plain(text[start:])

    def spell(self, tie: bytes, text: str) -> list[int]:
        """Tokens of healed bytes and the text behind them.

        Raises ModelError when the tokenizer's spelling of it has other bytes, or a token that is barred from text.
        """
        # A lone surrogate is no text: its bytes can be spelled by no token that tokenizing gives.
        wanted = tie + text.encode("utf-8", "surrogatepass")
        # A tie may begin inside a character: the rest of that one is spelled byte by byte, as in decoding.
        rest = len(tie) - len(tie.lstrip(_INSIDE_CHARACTER))
        bytewise = [wanted[at : at + 1] for at in range(rest)]
        tokens = [self.pieces.index(piece) for piece in bytewise if piece in self.pieces]
        tokens += self.tokenize(wanted[rest:].decode("utf-8", "replace"))
        spelled = b"".join(self.pieces[token] for token in tokens)
        if spelled != wanted or any(token in self.ends for token in tokens):
            raise ModelError("the model's tokenizer cannot spell the text that is to be scored")
        return tokens

    def _tokenize_plain(self, text: str) -> list[int]:
        data = text.encode("utf-8", "replace")
        if not data:
            return []
        room = len(data) + 2
        while True:
            tokens = (self._library.llama_token * room)()
            count = self._library.llama_tokenize(self._vocab, data, len(data), tokens, room, False, False)
            if count >= 0:
                return list(tokens[:count])
            room = -count

    def prompt_tokens(self, prompt: InfillPrompt, *, heal_words: bool = True) -> tuple[list[int], bytes]:
        """Render `prompt` as tokens; a healed form without its last text tokens, whose bytes come second.

        `heal_words` takes a word back as a whole, else the last token alone: merges never cross a word's start,
        so from there on the model's own tokens for the finished word are open to it.
        """
        tokens: list[int] = []
        segments = render(prompt, self.infill)
        for segment in segments:
            tokens += [self.special(segment.text)] if segment.special else self.tokenize(segment.text)
        if not prompt.form.healed or not segments or segments[-1].special:
            return tokens, b""
        word = _LAST_WORD.search(segments[-1].text[-_LONGEST_WORD:]) if heal_words else None
        least_bytes = len(word[0].encode()) if word else 1
        tie = b""
        while len(tie) < least_bytes:
            tie = self.pieces[tokens.pop()] + tie
        return tokens, tie


def _with(attributes: npt.NDArray[np.int32], flags: int) -> list[int]:
    return [int(token) for token in np.flatnonzero(attributes & flags)]


def load_vocabulary(path: Path) -> Vocabulary:
    """The vocabulary of the GGUF file at `path` without its weights: to make training samples with.

    Raises ModelError for a file that cannot be used, or has no infill tokens.
    """
    header = read_header(path)
    library = load_library()
    model = load_model(library, path, vocab_only=True)
    return Vocabulary(library, model, header, tokens_of(header))
