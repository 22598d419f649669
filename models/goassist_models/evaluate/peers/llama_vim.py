"""What many people use today: llama.cpp's server, asked as llama.vim asks it, answers shown as llama.vim shows them.

Sources: `autoload/llama.vim` at commit 381730b0 and `doc/llama.txt` at 0fb14e7b (github.com/ggml-org/llama.vim), and
`tools/server` of llama.cpp as llama-cpp-python 0.3.36 carries it. What is modelled:

- the server's arguments of "How to start the server" that mean something without a GPU;
- POST /infill with the default settings: 256 lines before, 64 after, 128 tokens, top_k 40, top_p 0.9 and the infill
  sampler, at most 250 ms of generation (once a line is complete) for the first request, 1,000 ms for the next one;
- one request at a time: while one runs, nobody's is begun, and it is tried again every 100 ms; a request is never
  taken back, its answer goes into the cache, whoever waits;
- the cache of 250 answers, with three keys more for a scrolled buffer, and up to 128 characters typed through;
- the request ahead, as if what is drawn had been accepted, and the one for the typed-through place behind it;
- no request by itself with more than 8 bytes behind the cursor (`on_demand` is the key that asks all the same);
- the ring of extra chunks: the first lines of a file that is opened (read by the server before the first question,
  as while one looks for the place), lines beyond the local context when the cursor has moved far, sent after three
  seconds without a move; chunks like the cursor's surroundings are dropped.

Left out: chunks from yanking and from saving or leaving a buffer (evaluation's buffers are never saved), more than
one answer a place, instructions. Three things differ from an editor, so that runs can be compared: requests carry a
fixed `seed` (the same distribution, but the same draw for the same prompt; limits in milliseconds can still cut it
elsewhere), chance in picking chunks is seeded too, and the server keeps no prompts in memory beyond its slots
(--cache-ram 0), since a question asked cold must be cold.
"""

from __future__ import annotations

import asyncio
import logging
import random
import tempfile
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goassist_index.errors import GoassistError
from goassist_models import native
from goassist_models.evaluate.example import Answer, Edit, Question, System
from goassist_models.evaluate.peers import llama_server
from goassist_models.evaluate.peers.llama_server import LlamaServer
from goassist_models.evaluate.peers.llama_vim_text import (
    CHUNK_LINES,
    MAX_LINE_SUFFIX_BYTES,
    Ghost,
    LocalContext,
    Place,
    Ring,
    cache_key,
    draw,
    local_context,
    place_at,
)

if TYPE_CHECKING:
    import httpx2

ARGUMENTS = ("--batch-size", "1024", "--ubatch-size", "512", "--ctx-size", "0", "--cache-reuse", "256")
CLIENT = "llama.vim 381730b0"
_PREDICT_TOKENS = 128
_FIRST_PREDICT_MS, _AHEAD_PREDICT_MS, _PROMPT_MS = 250, 1000, 500
_RETRY_S = 0.1
_RING_UPDATE_S, _STILL_S = 1.0, 3.0
_CACHED_ANSWERS = 250
_TYPED_THROUGH_CHARS = 128
_TIMEOUT_S = 120.0
_TIMINGS = ("prompt_n", "prompt_ms", "predicted_n", "predicted_ms")
_FIELDS = ["content", "tokens_evaluated", *(f"timings/{part}" for part in _TIMINGS)]

Start = Callable[[], Awaitable[LlamaServer]]
_log = logging.getLogger(__name__)


async def llama_vim_system(
    model: Path,
    name: str,
    *,
    report: native.Report = lambda line: None,
    on_demand: bool = False,
    seed: int = 1,
    arguments: Sequence[str] = ARGUMENTS,
) -> System:
    """Build (once, some minutes; `report` gets a line now and then) and start the server; return the peer.

    `on_demand`: every question is asked with the key for it, otherwise as while typing, where a cursor with more
    than 8 bytes behind it is not asked about. A server that dies or hangs makes `ask` raise; the next one starts
    it anew. Raises GoassistError when the server cannot be built or started.
    """
    binary = await asyncio.to_thread(llama_server.build, report)
    slots = tempfile.TemporaryDirectory(prefix="goassist-slots-")  # erasing a slot's cells is allowed with one only

    async def start() -> LlamaServer:
        more = (*arguments, "--slot-save-path", slots.name, "--cache-ram", "0", "--no-ui")
        return await llama_server.start(binary, model, arguments=more)

    about = {
        "model": model.name,
        "client": f"{CLIENT}, {'asked on demand' if on_demand else 'asked while typing'}",
        "server": f"{llama_server.NAME} of llama-cpp-python {native.VERSION}",
        "arguments": " ".join(arguments),
        "seed": str(seed),
    }
    editor = Editor(start, on_demand=on_demand, seed=seed)
    try:
        await editor.connect()
    except BaseException:
        slots.cleanup()
        raise

    async def close() -> None:
        await editor.close()
        slots.cleanup()

    return System(name, editor.ask, editor.open, editor.forget, editor.cpu_s, close, about)


class Editor:
    """One editor with the plugin in it. `ask` moves its cursor; what it does by itself goes on in between.

    `start` starts the server, at first and after it died.
    """

    def __init__(self, start: Start, *, on_demand: bool = False, seed: int = 1) -> None:
        self._start, self._on_demand, self._seed = start, on_demand, seed
        self._server: LlamaServer | None = None
        self._client: httpx2.AsyncClient | None = None
        self._ended_cpu_s = self._cpu_s = 0.0
        self._root = Path()
        self._path: Path | None = None
        self._place = place_at("", 0)
        self._moved_s = 0.0
        self._answers: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._ring = Ring(random.Random(seed))
        self._last_indent = 0
        self._ghost: Ghost | None = None
        self._used: Mapping[str, Any] = {}  # the answer that the ghost text was made of
        self._job: asyncio.Task[None] | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._background: set[asyncio.Task[None]] = set()
        self._failed: GoassistError | None = None
        self._news = asyncio.Event()

    async def connect(self) -> None:
        """Start the server unless it runs. Raises GoassistError when it cannot be started."""
        if self._server is not None and self._server.running:
            return
        await self.close()
        import httpx2

        self._server = await self._start()
        self._client = httpx2.AsyncClient(base_url=self._server.url, timeout=_TIMEOUT_S, trust_env=False)
        self._ticker = asyncio.create_task(self._update_ring())

    async def open(self, root: Path) -> None:
        """Work in another directory: file names are sent relative to it."""
        self._root, self._path = root, None

    async def ask(self, question: Question) -> Answer:
        """Put the cursor there and wait for ghost text, or for it to be certain that there will be none.

        Being cancelled stops nothing: the request goes on, and what comes of it is kept.
        """
        await self.connect()
        await self._enter(question)
        begun_s, cpu_s = time.perf_counter(), self.cpu_s()
        place = place_at(question.text, question.offset)
        self._place, self._moved_s = place, time.monotonic()
        self._ghost, self._failed, self._used = None, None, {}
        context = local_context(place)
        self._look()
        from_cache = self._ghost is not None and self._ghost.acceptable
        self._request(place, automatic=not self._on_demand)
        while (edit := self._edit(question)) is None:
            self._news.clear()
            if self._failed is not None:
                raise self._failed
            if context.keys[0] in self._answers or (self._job is None and self._retry is None):
                break
            await self._news.wait()
        ms, now_s = (time.perf_counter() - begun_s) * 1e3, self.cpu_s()
        behind = not self._on_demand and _too_much_behind(context)
        silent = "too much behind the cursor" if behind else "nothing new in the answer"
        return Answer(
            edits=(edit,) if edit is not None else (),
            ms=ms,
            cpu_s=now_s - cpu_s,
            prompt_tokens=self._used.get("tokens_evaluated"),
            read_tokens=0 if from_cache else self._used.get("timings/prompt_n"),
            generated_tokens=0 if from_cache else self._used.get("timings/predicted_n"),
            silent_because=silent if edit is None else "",
            details={
                "from_cache": from_cache,
                "timings_ms": {part: self._used.get(f"timings/{part}_ms") for part in ("prompt", "predicted")},
                "extra_chunks": len(self._ring.chunks),
            },
        )

    async def forget(self) -> None:
        """Make all cold: no cell in the server's slot, no answer kept, no chunk, the file not opened yet."""
        await self._stop_requests()
        self._answers.clear()
        self._ring = Ring(random.Random(self._seed))
        self._path = None
        if self._server is not None and self._server.running:
            await self._post("/slots/0?action=erase", {})

    def cpu_s(self) -> float:
        """Processor seconds of the server so far, those of one that died as far as they were seen."""
        if self._server is not None:
            self._cpu_s = max(self._cpu_s, self._server.cpu_s() or 0.0)
        return self._ended_cpu_s + self._cpu_s

    async def close(self) -> None:
        """End requests and server."""
        await self._stop_requests()
        ticker, self._ticker = self._ticker, None
        if ticker is not None:
            ticker.cancel()
            await asyncio.gather(ticker, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
        if self._server is not None:
            self._ended_cpu_s, self._cpu_s = self.cpu_s(), 0.0
            self._server.stop()
        self._client = self._server = None

    def _edit(self, question: Question) -> Edit | None:
        ghost = self._ghost
        return ghost.edit(question.offset) if ghost is not None and ghost.acceptable else None

    async def _enter(self, question: Question) -> None:
        """Open the file, if another was shown: its first lines become a chunk, read while one looks for the place."""
        if question.path == self._path:
            return
        self._path, self._ring.picked_row = question.path, -9999
        try:
            on_disk = place_at(question.path.read_text(encoding="utf-8", errors="replace"), 0)
        except OSError:
            return  # a file that is not there yet is no source of chunks
        self._ring.pick(on_disk.lines[: CHUNK_LINES // 2 + 1], self._filename, evict=True)
        if self._ring.promote():
            await self._post("/infill", self._reading())

    @property
    def _filename(self) -> str:
        path = self._path or Path()
        return str(path.relative_to(self._root)) if path.is_relative_to(self._root) else str(path)

    def _look(self) -> None:
        """Draw from the cache what fits the cursor's place, and ask ahead as if it had been accepted."""
        found = self._cached(self._place)
        if found is None:
            return
        self._used = found
        self._ghost = draw(self._place, found["content"])
        self._request(self._place, drawn=self._ghost.lines)

    def _cached(self, place: Place) -> dict[str, Any] | None:
        """Return the answer for this very place, else the one of a place before that leaves most after the typing."""
        context = local_context(place)
        before = context.prefix + context.middle
        if (exact := self._kept(cache_key(before, context.suffix))) is not None:
            return exact
        best: dict[str, Any] | None = None
        for typed in range(1, min(_TYPED_THROUGH_CHARS, len(before)) + 1):
            answer = self._kept(cache_key(before[:-typed], context.suffix))
            if answer is None or not answer["content"].startswith(before[-typed:]):
                continue
            rest = answer["content"][typed:]
            if len(rest) > (len(best["content"]) if best is not None else 0):
                best = {**answer, "content": rest}
        return best

    def _kept(self, key: str) -> dict[str, Any] | None:
        if key in self._answers:
            self._answers.move_to_end(key)
        return self._answers.get(key)

    def _request(self, place: Place, *, drawn: tuple[str, ...] = (), automatic: bool = True) -> None:
        """Ask the server about `place`, unless it was answered; a bit later when a request runs already."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._job is not None:
            later = asyncio.get_running_loop().call_later
            self._retry = later(_RETRY_S, self._retried, place, drawn, automatic)
            return
        context = local_context(place, drawn, self._last_indent)
        keys = context.keys
        if automatic and (_too_much_behind(context) or any(self._kept(key) is not None for key in keys)):
            return
        self._last_indent = context.indent
        self._ring.drop_known(self._place)
        body = {
            **self._extra(),
            "input_prefix": context.prefix,
            "input_suffix": context.suffix,
            "prompt": context.middle,
            "n_predict": _PREDICT_TOKENS,
            **{"stop": [], "n_cmpl": 1},
            "n_indent": context.indent,
            **{"top_k": 40, "top_p": 0.90, "samplers": ["top_k", "top_p", "infill"]},
            "t_max_prompt_ms": _PROMPT_MS,
            "t_max_predict_ms": _AHEAD_PREDICT_MS if drawn else _FIRST_PREDICT_MS,
            "response_fields": _FIELDS,
        }
        self._job = asyncio.create_task(self._run(body, keys))
        if automatic:
            self._ring.pick_around(place, self._filename)

    def _retried(self, place: Place, drawn: tuple[str, ...], automatic: bool) -> None:
        self._retry = None
        self._request(place, drawn=drawn, automatic=automatic)
        self._news.set()

    async def _run(self, body: dict[str, Any], keys: list[str]) -> None:
        """Send one request and keep its answer; show it when nothing is shown yet."""
        try:
            answer = await self._post("/infill", body)
            if isinstance(answer.get("content"), str):
                for key in keys:
                    self._answers[key] = answer
                    self._answers.move_to_end(key)
                while len(self._answers) > _CACHED_ANSWERS:
                    self._answers.popitem(last=False)
                if self._ghost is None or not self._ghost.acceptable:
                    self._look()
            else:
                assert self._server is not None
                self._failed = self._server.failure(f"{llama_server.NAME} answers without a text")
        except GoassistError as error:
            _log.info("request failed: %s", error)
            self._failed = error
        finally:
            self._job = None
            self._news.set()

    def _extra(self) -> dict[str, Any]:
        """Fields of every request, the ring's chunks among them."""
        chunks = [{"text": chunk.text, "filename": chunk.filename} for chunk in self._ring.chunks]
        return {"id_slot": 0, "input_extra": chunks, "stream": False, "cache_prompt": True, "seed": self._seed}

    def _reading(self) -> dict[str, Any]:
        """Body of the request that only has the chunks read."""
        limits = {"n_predict": 0, "t_max_prompt_ms": 1, "t_max_predict_ms": 1}
        body = {**self._extra(), **limits, "input_prefix": "", "input_suffix": "", "prompt": ""}
        return {**body, "temperature": 0.0, "samplers": [], "response_fields": [""]}

    async def _update_ring(self) -> None:
        """Once a second, when the cursor has stood still: let a queued chunk go along, and have it read."""
        while True:
            await asyncio.sleep(_RING_UPDATE_S)
            if time.monotonic() - self._moved_s < _STILL_S or not self._ring.promote():
                continue
            reading = asyncio.create_task(self._read_chunks())
            self._background.add(reading)
            reading.add_done_callback(self._background.discard)

    async def _read_chunks(self) -> None:
        try:
            await self._post("/infill", self._reading())
        except GoassistError as error:
            _log.info("chunks were not read: %s", error)  # the next question meets the cause

    async def _stop_requests(self) -> None:
        """Leave all connections: the server then stops working for them."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        work = [*self._background, *([self._job] if self._job is not None else [])]
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        self._job = None

    async def _post(self, where: str, body: dict[str, Any]) -> dict[str, Any]:
        """One request. Raises GoassistError when the server refuses, dies, hangs or answers with no JSON object."""
        import httpx2

        server, client = self._server, self._client
        assert server is not None
        assert client is not None
        try:
            response = await client.post(where, json=body)
            answer = response.json()
        except httpx2.TimeoutException as error:
            server.stop()  # the next question gets a fresh one
            raise server.failure(f"{llama_server.NAME} does not answer within {_TIMEOUT_S:.0f} s") from error
        except (httpx2.HTTPError, ValueError) as error:
            await asyncio.sleep(_RETRY_S)  # a dying process is seen to be dead a moment later
            raise server.failure(f"{llama_server.NAME} does not answer as it should ({error!r})") from error
        if response.status_code != 200 or not isinstance(answer, dict):
            said = " ".join(str(answer).split())[:200]
            raise server.failure(f"{llama_server.NAME} refuses (status {response.status_code}: {said})")
        return answer


def _too_much_behind(context: LocalContext) -> bool:
    return len(context.line_suffix.encode("utf-8", "replace")) > MAX_LINE_SUFFIX_BYTES
