"""The native context: a model's cells in the key-value cache, and the decodes that fill and read them.

Used by the llama engine from its worker thread only. Sequence 0 keeps its cells between prompts, so that a
prompt is read only from where it first differs; the other sequences live for one request and share its cells.
"""

from __future__ import annotations

import ctypes
import logging
import sys
import time
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from goassist_index.errors import ModelError
from goassist_models.engine.alike import common_length, moved_from
from goassist_models.engine.known import KnownLogits
from goassist_models.engine.sampling import Logits

_log = logging.getLogger(__name__)

# Where memory is short, fewer tokens than asked for are held, but not fewer than an answer to a usual prompt takes.
LEAST_TOKENS = 1024


class DecodeFailed(ModelError):
    """The native library refused a batch: no room in the cache, or an error of its own."""


class _GivenUp(DecodeFailed):
    """A decode ended early because it was told to."""


_ABORTED = 2  # what llama_decode returns then


# Fewer tokens than this are read again as soon as they are kept.
_WORTH_KEEPING = 64
# Where one thread is as quick as all for a token, so many tokens cost less one by one than together with all threads.
_READ_SINGLY = 3
# The most tokens whose cells are kept for other places: two whole prompts of an editor, some 12 KiB a token in a 0.5B.
_MOST_KEPT = 1536
# Scores of attention that one layer has at once, for each head: rows of a part times cells; 8 bytes each are held then.
_MOST_SCORES = 2**17
_LEAST_CHUNK = 64
# The most rows of a batch that get logits: the library sets 0.6 MB aside for each where the vocabulary is large.
_MOST_ROWS = 64


@dataclass(frozen=True, slots=True)
class PromptRead:
    """What a prompt read came to: the logits after its last token (None when cancelled), and its cost."""

    logits: Logits | None
    read_tokens: int
    read_ms: float
    decodes: int = 0


@dataclass(frozen=True, slots=True)
class _Place:
    """The cells of a place that was left, as the library writes them down, and the tokens that they are of."""

    tokens: list[int]
    cells: npt.NDArray[np.uint8]


class Context:
    """One llama context of several sequences; `chunk_tokens` are read between two looks at the stop flag.

    Sequence 0 holds the prompt, those up to `sequences` grow beside it; all share `n_ctx` cells. The cells of up to
    `places` other prompts are kept outside, where a token does not have to look past them: who goes back to one finds
    it read. The oldest make room.

    Where `apart`, each sequence has an equal part of the cells for itself, and what others hold costs it nothing: for
    sequences that have little in common. What one shares is then copied.

    `n_ctx` is what one sequence can hold: where memory is short, less than was asked for. Raises ModelError where there
    is none even for LEAST_TOKENS.
    """

    def __init__(
        self,
        library: Any,
        model: Any,
        *,
        n_ctx: int,
        sequences: int,
        threads: int,
        chunk_tokens: int,
        places: int = 0,
        apart: bool = False,
    ) -> None:
        self._library = library
        parameters = library.llama_context_default_params()
        parameters.n_ctx = n_ctx
        parameters.n_seq_max = sequences
        parameters.n_batch = parameters.n_ubatch = max(chunk_tokens, parameters.n_seq_max)
        # Not fewer than sequences: the library would abort the process.
        self._rows = parameters.n_outputs_max = min(max(_MOST_ROWS, parameters.n_seq_max), parameters.n_batch)
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.kv_unified = not apart
        if not library.llama_supports_gpu_offload():
            # Processors are a fourth quicker at a token without it, and as quick at prompts (models/LOG.md).
            parameters.flash_attn_type = library.LLAMA_FLASH_ATTN_TYPE_DISABLED
        parameters.no_perf = True
        self._context = library.llama_init_from_model(model, parameters)
        while not self._context and parameters.n_ctx > LEAST_TOKENS:
            parameters.n_ctx = max(LEAST_TOKENS, parameters.n_ctx // 2)
            self._context = library.llama_init_from_model(model, parameters)
        if not self._context:
            raise ModelError(
                f"the native library could not make a context of {parameters.n_ctx:,} tokens",
                cure="Free some memory or use a smaller model",
            )
        if parameters.n_ctx < n_ctx:
            _log.warning("memory is short: the model's context holds %d tokens, not %d", parameters.n_ctx, n_ctx)
        self.threads = self._read_threads = threads
        self.n_ctx: int = library.llama_n_ctx_seq(self._context)
        self._memory = library.llama_get_memory(self._context)
        self._vocab_size: int = library.llama_vocab_n_tokens(library.llama_model_get_vocab(model))
        self._chunk = chunk_tokens
        self._batch = library.llama_batch_init(parameters.n_batch, 0, 1)
        # Asked before each operation of a decode whether to give up, which must not cost a call into Python: C's own
        # strlen says how long the text in this buffer is, and anything but "" means yes.
        self._give_up = ctypes.create_string_buffer(2)
        strlen = ctypes.CDLL(None).strlen if sys.platform != "win32" else ctypes.cdll.msvcrt.strlen
        self._asks_give_up = ctypes.cast(strlen, library.ggml_abort_callback)
        self._never = library.ggml_abort_callback()
        self.cells: list[int] = []
        # How many of them the present text has. What follows was said behind it, and is often said again.
        self._length = 0
        self._known = KnownLogits(self._vocab_size)
        # Tokens of prompts that were read, and decodes, ever.
        self.rows_read = self.decodes = 0
        # The latest left at the end.
        self._kept: list[_Place] = []
        self._places = places

    @property
    def native(self) -> Any:
        """The native context's pointer."""
        return self._context

    def close(self) -> None:
        """Free the native context; nothing may be called after it."""
        self._library.llama_batch_free(self._batch)
        self._library.llama_free(self._context)
        self._context = None

    def use_threads(self, threads: int) -> None:
        """Decode single tokens with that many threads from now on; prompts are read with as many as at the start.

        A token waits for memory, and for each thread at the end of each operation; a prompt waits for the processor.
        """
        if threads != self.threads:
            _log.debug("%d threads after %d", threads, self.threads)
            self._library.llama_set_n_threads(self._context, threads, self._read_threads)
            self.threads = threads

    def time_decode(self, token: int, threads: int) -> float:
        """Milliseconds that one `token` at the end of sequence 0 takes with `threads`."""
        self.use_threads(threads)
        start_s = time.perf_counter()
        self.step([(0, token, len(self.cells))])
        return (time.perf_counter() - start_s) * 1000

    def give_up(self) -> None:
        """End a prompt read that is under way at its next operation. May be called from any thread."""
        self._give_up[0] = b"x"

    def clear(self) -> None:
        """Forget all cells."""
        self._library.llama_memory_clear(self._memory, True)
        self.cells.clear()
        self._known.cut(0)
        self._length = 0
        self._kept.clear()

    def read_prompt(self, tokens: Sequence[int], stopped: Callable[[], bool], *, moved: bool = False) -> PromptRead:
        """Make `tokens` the text of sequence 0, reading only what its cells do not share with them.

        Where the text's window may have `moved`, cells of what is left of it are moved up, and not read again.
        What a cancelled read has done stays in the cells: the next prompt continues from there.
        """
        start_s = time.perf_counter()
        shared = self._go_to(tokens, moved)
        known = self._known.get(len(tokens) - 1) if shared == len(tokens) else None
        if known is not None:
            self._length = shared
            return PromptRead(known, 0, (time.perf_counter() - start_s) * 1000)
        # Where the logits behind the last token are not known any more, it is read again.
        shared = min(shared, len(tokens) - 1)
        self._trim(shared)
        at, decodes = shared, 0
        chunk = min(self._chunk, max(_LEAST_CHUNK, _MOST_SCORES // len(tokens)))
        self._give_up[0] = b"\0"
        self._library.llama_set_abort_callback(self._context, self._asks_give_up, self._give_up)
        try:
            while at < len(tokens):
                # Asked after the flag was taken back: a cancel before that is seen here, one after it by the decode.
                if stopped():
                    return PromptRead(None, at - shared, (time.perf_counter() - start_s) * 1000, decodes)
                left = len(tokens) - at
                single = left <= _READ_SINGLY and self.threads < self._read_threads
                part = tokens[at : at + (1 if single else chunk)]
                # Nobody looks at the logits before the prompt's end.
                wanted = len(part) - 1 if at + len(part) == len(tokens) else len(part)
                self._decode([(0, token, at + i) for i, token in enumerate(part)], range(wanted, len(part)))
                self.cells.extend(part)
                self.rows_read += len(part)
                at = self._length = at + len(part)
                decodes += 1
        except _GivenUp:
            # What the decode has done of its part may be in the cells: it is not counted on.
            self._library.llama_memory_seq_rm(self._memory, 0, at, -1)
            return PromptRead(None, at - shared, (time.perf_counter() - start_s) * 1000, decodes)
        finally:
            self._library.llama_set_abort_callback(self._context, self._never, None)
        logits = self._known.put(len(tokens) - 1, self._logits(len(part) - 1))
        return PromptRead(logits, len(tokens) - shared, (time.perf_counter() - start_s) * 1000, decodes)

    def _go_to(self, tokens: Sequence[int], moved: bool) -> int:
        """Keep the cells of the place that is left, if it is left, and take up those of the place gone to.

        Returns how many cells of sequence 0 the tokens begin with then.
        """
        shared = common_length(self.cells, tokens)
        if moved:
            shared = self._move_up(shared, tokens)
        if not self._places:
            return shared
        lengths = [common_length(place.tokens, tokens) for place in self._kept]
        most = max(lengths, default=0)
        found = self._kept.pop(lengths.index(most)) if most >= shared + _WORTH_KEEPING else None
        if len(self.cells) - shared >= _WORTH_KEEPING:
            self._keep()
        return shared if found is None else self._take_up(found, tokens)

    def _move_up(self, shared: int, tokens: Sequence[int]) -> int:
        """Cut out what stands between the `shared` cells and those that the tokens go on with.

        Those keep what they knew of what is cut out. Returns how many cells of sequence 0 the tokens begin with then.
        """
        at = moved_from(self.cells, shared, tokens, _WORTH_KEEPING)
        if not at:
            return shared
        library, memory = self._library, self._memory
        if not library.llama_memory_can_shift(memory) or not library.llama_memory_seq_rm(memory, 0, shared, at):
            return shared
        library.llama_memory_seq_add(memory, 0, at, -1, shared - at)
        del self.cells[shared:at]
        self._known.cut(shared)
        return common_length(self.cells, tokens)

    def _keep(self) -> None:
        """Write the cells of sequence 0 down, for who comes back."""
        # What holds the beginning of this one alone is in this one.
        self._kept = [place for place in self._kept if common_length(place.tokens, self.cells) < len(place.tokens)]
        cells = np.empty(self._library.llama_state_seq_get_size(self._context, 0), np.uint8)
        pointer = cells.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        if self._library.llama_state_seq_get_data(self._context, pointer, cells.nbytes, 0) == cells.nbytes:
            self._kept.append(_Place(list(self.cells), cells))
        while self._kept[self._places :] or sum(len(place.tokens) for place in self._kept) > _MOST_KEPT:
            del self._kept[0]

    def _take_up(self, place: _Place, tokens: Sequence[int]) -> int:
        """Put a place's cells in the place of sequence 0's; returns how many the tokens begin with."""
        self._library.llama_memory_seq_rm(self._memory, 0, -1, -1)
        pointer = place.cells.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        self.cells = []
        self._known.cut(0)
        if self._library.llama_state_seq_set_data(self._context, pointer, place.cells.nbytes, 0):
            self.cells = list(place.tokens)
        return common_length(self.cells, tokens)

    def _trim(self, length: int) -> None:
        """Drop sequence 0's cells from position `length` on: the text ends there."""
        self._length = length
        self._known.cut(length)
        if length < len(self.cells):
            # A model whose memory cannot be cut (recurrent ones) says so: then everything is read anew.
            if self._library.llama_memory_seq_rm(self._memory, 0, length, -1):
                del self.cells[length:]
            else:
                self.clear()
                if length:
                    raise DecodeFailed("the model's memory cannot be cut back")

    def fork(self, sequences: int) -> None:
        """Let sequences 1 to `sequences` - 1 share the cells of sequence 0's text."""
        if sequences > 1:
            self._trim(self._length)
        for target in range(1, sequences):
            self._library.llama_memory_seq_rm(self._memory, target, -1, -1)
            self._library.llama_memory_seq_cp(self._memory, 0, target, -1, -1)

    def join(self, sequences: int) -> None:
        """Drop sequences 1 to `sequences` - 1; sequence 0 keeps its cells."""
        for target in range(1, sequences):
            self._library.llama_memory_seq_rm(self._memory, target, -1, -1)

    def step(self, rows: Sequence[tuple[int, int, int]]) -> list[Logits]:
        """Decode one token for each of some sequences, given as (sequence, token, position).

        Returns a row of logits each, valid until the next decode. Nothing is decoded where sequence 0 alone goes on
        as it did before, and what was said then is known.
        """
        ours = [(token, position) for sequence, token, position in rows if sequence == 0]
        alone = len(ours) == len(rows) == 1
        if ours:
            token, position = ours[0]
            again = alone and self.cells[position : position + 1] == [token]
            known = self._known.get(position) if again else None
            if known is not None:
                self._length = position + 1
                return [known]
            self._trim(position)
        self._decode(rows, range(len(rows)))
        # Rows of sequence 0 stay for the next prompt: a user who types through what was shown reads nothing.
        self.cells.extend(token for token, _ in ours)
        self._length = len(self.cells)
        logits = [self._logits(row) for row in range(len(rows))]
        return [self._known.put(position, logits[0])] if alone else logits

    def follow(self, tokens: Sequence[int], stopped: Callable[[], bool]) -> Iterator[Logits]:
        """Read `tokens` on at the end of sequence 0, many a decode, and yield the logits after each of them.

        A row is valid until the next one is asked for. Ends early when `stopped`.
        """
        for start in range(0, len(tokens), self._rows):
            if stopped():
                return
            at = self._length
            yield from self.step([(0, token, at + i) for i, token in enumerate(tokens[start : start + self._rows])])

    def mixed(self, rows: Sequence[tuple[int, int, int]], wanted: Sequence[int]) -> list[Logits]:
        """Decode rows of several sequences, any number each, and return the logits of those `wanted`, by their index.

        Sequences that are `apart` go through the model together when their numbers follow one another. Who calls it
        keeps account of all cells, sequence 0's too. Rows of logits are valid until the next decode.
        """
        self._decode(rows, frozenset(wanted))
        return [self._logits(row) for row in wanted]

    def cut(self, sequence: int, length: int) -> bool:
        """Drop a sequence's cells from position `length` on; False where the model's memory cannot be cut there."""
        return bool(self._library.llama_memory_seq_rm(self._memory, sequence, length, -1))

    def share(self, source: int, target: int, length: int) -> None:
        """Let an empty sequence `target` have the first `length` cells of `source` too."""
        # All of them first: where sequences are `apart`, there are copies of all or of none.
        self._library.llama_memory_seq_cp(self._memory, source, target, -1, -1)
        self.cut(target, length)

    def _decode(self, rows: Sequence[tuple[int, int, int]], wanted: Container[int]) -> None:
        """Decode (sequence, token, position) rows; logits are made of those rows whose index is `wanted`."""
        batch = self._batch
        for row, (sequence, token, position) in enumerate(rows):
            batch.token[row] = token
            batch.pos[row] = position
            batch.n_seq_id[row] = 1
            batch.seq_id[row][0] = sequence
            batch.logits[row] = row in wanted
        batch.n_tokens = len(rows)
        self.decodes += 1
        status = self._library.llama_decode(self._context, batch)
        if status == _ABORTED:
            raise _GivenUp("a prompt read was given up")
        if status != 0:
            reason = "its cache is full" if status == 1 else f"status {status}"
            raise DecodeFailed(
                f"the native library failed to evaluate a batch of {len(rows)} tokens ({reason})",
                cure="Run `goassist-lsp doctor`",
            )

    def _logits(self, row: int) -> Logits:
        """Return the logits of a batch row as a view of native memory."""
        pointer = self._library.llama_get_logits_ith(self._context, row)
        address = ctypes.cast(pointer, ctypes.c_void_p).value
        if address is None:
            raise DecodeFailed("the native library has no logits for a row", cure="Run `goassist-lsp doctor`")
        view = (ctypes.c_float * self._vocab_size).from_address(address)
        return np.frombuffer(memoryview(view).cast("B"), dtype=np.float32)
