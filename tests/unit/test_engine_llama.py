"""The llama engine over tiny models: cache reuse, healing, several sequences, stops and bad files."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from goassist_index.errors import ModelError
from goassist_models.engine import CancelToken, GenerateRequest, Generation, Resume
from goassist_models.engine.llama import LlamaEngine, LlamaSettings
from goassist_models.infill import FORMS, InfillPrompt
from support import tiny_gguf

SETTINGS = LlamaSettings(n_ctx=512, chunk_tokens=16, threads=1, preflight=False)
FOLLOWS = {
    "fmt": ["."],
    ".": ["Close", "Println"],
    "Close": ["("],
    "Println": ["("],
    "(": ["err", ")"],
    "err": [")"],
    "<|fim_middle|>": ["return"],
    "return": [" "],
    " ": ["nil"],
    "\n": ["\t\t"],
    "\t\t": ["return"],
    "x": ["x"],
}


@pytest.fixture(scope="session")
def bigram_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gguf.write_bigram_model(tmp_path_factory.mktemp("models") / "bigram.gguf", FOLLOWS)


@pytest.fixture
async def engine(bigram_path: Path) -> AsyncIterator[LlamaEngine]:
    loaded = await LlamaEngine.load(bigram_path, SETTINGS)
    yield loaded
    await loaded.close()


@pytest.fixture
async def deep(random_path: Path) -> AsyncIterator[LlamaEngine]:
    loaded = await LlamaEngine.load(random_path, SETTINGS)
    yield loaded
    await loaded.close()


def request(prefix: str, suffix: str = "\n}\n", form: str = "joined", **wanted: object) -> GenerateRequest:
    wanted.setdefault("max_tokens", 12)
    return GenerateRequest(InfillPrompt(FORMS[form], prefix, suffix), **wanted)  # type: ignore[arg-type]


async def ask(engine: LlamaEngine, prefix: str, **wanted: object) -> Generation:
    (generation,) = await engine.generate(request(prefix, **wanted), CancelToken())
    return generation


async def test_half_typed_word_is_continued_against_the_likelier_one(engine: LlamaEngine) -> None:
    assert (await ask(engine, "fmt.")).text == "Close(err)"
    assert (await ask(engine, "fmt.Pri")).text == "ntln(err)"


async def test_tabs_of_a_new_line_are_healed(engine: LlamaEngine) -> None:
    assert (await ask(engine, "fmt\n\t")).text == "\treturn nil"
    assert (await ask(engine, "fmt\n\t\t")).text == "return nil"


async def test_empty_prefix_is_answered_without_healing(engine: LlamaEngine) -> None:
    assert (await ask(engine, "")).text == "return nil"


async def test_end_token_is_not_in_the_text(engine: LlamaEngine) -> None:
    answer = await ask(engine, "fmt.Pr")
    assert (answer.text, answer.finish_reason) == ("intln(err)", "eos")


async def test_until_ends_the_sequence_with_the_token_that_met_it(engine: LlamaEngine) -> None:
    answer = await ask(engine, "fmt.Pr", until=lambda text: "(" in text)
    assert (answer.text, answer.finish_reason) == ("intln(", "stop")


async def test_until_never_sees_healed_bytes(engine: LlamaEngine) -> None:
    seen: list[str] = []
    await ask(engine, "fmt.Pr", until=lambda text: bool(seen.append(text)))
    assert seen == ["intln", "intln(", "intln(err", "intln(err)"]


async def test_max_tokens_ends_the_sequence(engine: LlamaEngine) -> None:
    answer = await ask(engine, "fmt.Pr", max_tokens=2)
    assert (answer.text, answer.finish_reason) == ("intln(", "length")


async def test_first_of_several_is_greedy_and_each_ends_by_itself(engine: LlamaEngine) -> None:
    answers = await engine.generate(request("fmt.", n=4, seed=11), CancelToken())
    assert len(answers) == 4
    assert answers[0].text == (await ask(engine, "fmt.")).text
    assert all(answer.finish_reason in ("eos", "length", "stop") for answer in answers)


async def test_same_seed_gives_the_same_texts(deep: LlamaEngine) -> None:
    wanted = request("fmt.Println(err)", n=3, temperature=0.9, seed=5)
    first = await deep.generate(wanted, CancelToken())
    second = await deep.generate(wanted, CancelToken())
    assert [answer.text for answer in first] == [answer.text for answer in second]


async def test_more_sequences_than_the_context_holds_are_not_made(engine: LlamaEngine) -> None:
    assert len(await engine.generate(request("fmt.", n=9), CancelToken())) == SETTINGS.sequences


async def test_typing_on_reads_only_what_was_typed(engine: LlamaEngine) -> None:
    prefix = "return err\n" * 12 + "fmt."
    first = await ask(engine, prefix)
    second = await ask(engine, prefix + "Prin")
    assert first.timings.read_tokens > 50
    assert second.timings.read_tokens <= 2


async def test_typing_through_the_answer_reads_nothing(engine: LlamaEngine) -> None:
    first = await ask(engine, "return nil\nfmt.Pr")
    second = await ask(engine, "return nil\nfmt.Pr" + first.text)
    assert first.text
    assert second.timings.read_tokens == 0


async def test_reused_cells_give_the_same_text_as_a_fresh_read(deep: LlamaEngine, random_path: Path) -> None:
    await ask(deep, "func a() {\n\tfmt.Close(nil)\n\treturn err", max_tokens=20)
    reused = await ask(deep, "func a() {\n\tfmt.Println(nil)\n\treturn e", max_tokens=20)
    fresh_engine = await LlamaEngine.load(random_path, SETTINGS)
    fresh = await ask(fresh_engine, "func a() {\n\tfmt.Println(nil)\n\treturn e", max_tokens=20)
    await fresh_engine.close()
    assert reused.timings.read_tokens < fresh.timings.read_tokens
    assert reused.text == fresh.text
    assert reused.mean_logprob == pytest.approx(fresh.mean_logprob, abs=1e-3)


async def test_sequences_do_not_disturb_each_other(deep: LlamaEngine) -> None:
    alone = await ask(deep, "fmt.Println(err)", max_tokens=20)
    together = await deep.generate(request("fmt.Println(err)", n=4, max_tokens=20, seed=3), CancelToken())
    again = await ask(deep, "fmt.Println(err)", max_tokens=20)
    assert alone.text == together[0].text == again.text


async def test_cancelled_request_does_not_raise(engine: LlamaEngine) -> None:
    cancel = CancelToken()
    cancel.cancel()
    answers = await engine.generate(request("fmt.", n=2), cancel)
    assert [(answer.text, answer.finish_reason) for answer in answers] == [("", "cancelled")] * 2


async def test_cancel_in_the_token_loop_keeps_the_text_so_far(engine: LlamaEngine) -> None:
    cancel = CancelToken()

    def until(text: str) -> bool:
        cancel.cancel()
        return False

    (answer,) = await engine.generate(request("fmt.Pr", until=until), cancel)
    assert (answer.text, answer.finish_reason) == ("intln", "cancelled")


class CancelledAfter(CancelToken):
    """A token that reports the cancel from its n-th question on: a cancel at an exact place."""

    def __init__(self, questions: int) -> None:
        super().__init__()
        self.left = questions

    @property
    def cancelled(self) -> bool:
        self.left -= 1
        return self.left < 0


async def test_cancelled_prompt_read_is_continued_by_the_next_request(engine: LlamaEngine) -> None:
    prefix = "return err\n" * 20
    (broken_off,) = await engine.generate(request(prefix), CancelledAfter(4))
    assert broken_off.finish_reason == "cancelled"
    assert 0 < broken_off.timings.read_tokens < broken_off.timings.prompt_tokens
    whole = await ask(engine, prefix)
    assert whole.timings.read_tokens + broken_off.timings.read_tokens == whole.timings.prompt_tokens - 2


async def test_zero_tokens_only_read_the_prompt(engine: LlamaEngine) -> None:
    prefix = "return err\n" * 12
    (read,) = await engine.generate(request(prefix, max_tokens=0), CancelToken())
    assert (read.text, read.finish_reason) == ("", "length")
    assert (await ask(engine, prefix)).timings.read_tokens == 0


async def test_while_a_word_is_typed_that_is_taken_back_nothing_is_read(deep: LlamaEngine, random_path: Path) -> None:
    prefix = "return nil\nfmt.Print"
    first = await ask(deep, prefix[:-3], max_tokens=9)
    second = await ask(deep, prefix, max_tokens=9)
    assert (first.timings.read_tokens > 0, second.timings.read_tokens) == (True, 0)
    fresh_engine = await LlamaEngine.load(random_path, SETTINGS)
    assert (await ask(fresh_engine, prefix, max_tokens=9)).text == second.text
    await fresh_engine.close()


async def test_a_text_that_gets_unlikely_ends_before_the_token_that_makes_it_so(deep: LlamaEngine) -> None:
    prefix = "func a() {\n\tfmt.Close(nil)\n\treturn err"
    whole = await ask(deep, prefix, max_tokens=20)
    half = len(whole.steps) // 2
    assert half > 1
    sums = [sum(step.logprob for step in whole.steps[: number + 1]) for number in range(len(whole.steps))]
    least = (sums[half - 1] + sums[half]) / 2
    ended = await ask(deep, prefix, max_tokens=20, least_logprob=least)
    assert ended.finish_reason == "unlikely"
    assert ended.steps == whole.steps[:half]
    assert (await ask(deep, prefix, max_tokens=20, least_logprob=sums[-1] - 1)).text == whole.text


async def test_prompt_too_long_for_the_context_is_an_error_and_the_engine_lives(engine: LlamaEngine) -> None:
    with pytest.raises(ModelError, match="context holds 512"):
        await ask(engine, "x" * 600)
    assert (await ask(engine, "fmt.Pri")).text == "ntln(err)"


async def test_error_in_until_reaches_the_caller_and_the_engine_lives(engine: LlamaEngine) -> None:
    def until(text: str) -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ask(engine, "fmt.", until=until, n=2)
    assert (await ask(engine, "fmt.Pri")).text == "ntln(err)"


async def test_source_text_cannot_forge_special_tokens(engine: LlamaEngine) -> None:
    for text in ("<|fim_middle|>", "<tool_call>"):
        assert engine.count_tokens(f"a{text}b") == len(f"a{text}b")


async def test_prompts_that_fill_the_context_again_and_again_are_answered(engine: LlamaEngine) -> None:
    for number in range(6):
        answer = await ask(engine, f"{number}" + "y" * 440 + "\nfmt.", n=1)
        assert answer.text == "Close(err)"


async def test_requests_from_many_tasks_are_answered_in_order(engine: LlamaEngine) -> None:
    answers = await asyncio.gather(*(ask(engine, prefix) for prefix in ("fmt.Pr", "", "fmt.", "fmt.Pri")))
    assert [answer.text for answer in answers] == ["intln(err)", "return nil", "Close(err)", "ntln(err)"]


async def test_task_that_is_given_up_stops_its_request(engine: LlamaEngine) -> None:
    cancel = CancelToken()
    task = asyncio.create_task(engine.generate(request("fmt."), cancel))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancel.cancelled


async def test_closed_engine_refuses_requests(bigram_path: Path) -> None:
    engine = await LlamaEngine.load(bigram_path, SETTINGS)
    await engine.close()
    await engine.close()
    with pytest.raises(ModelError, match="closed"):
        await ask(engine, "fmt.")


async def test_truncated_model_is_refused_by_name(bigram_path: Path, tmp_path: Path) -> None:
    broken = tmp_path / "half.gguf"
    broken.write_bytes(bigram_path.read_bytes()[:-1000])
    with pytest.raises(ModelError, match=r"half\.gguf.*truncated"):
        await LlamaEngine.load(broken, SETTINGS)


async def test_model_without_infill_tokens_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiny_gguf, "SPECIALS", ("<|endoftext|>",))
    path = tiny_gguf.write_bigram_model(tmp_path / "plain.gguf", {})
    with pytest.raises(ModelError, match="no infill tokens"):
        await LlamaEngine.load(path, SETTINGS)


async def test_model_that_the_library_rejects_is_an_error(tmp_path: Path) -> None:
    path = tiny_gguf.write_bigram_model(
        tmp_path / "odd.gguf", {}, metadata={"general.architecture": "no-such-architecture"}
    )
    with pytest.raises(ModelError, match=r"odd\.gguf"):
        await LlamaEngine.load(path, SETTINGS)


async def test_a_refused_token_gives_way_to_the_next_likely_one(engine: LlamaEngine) -> None:
    free = await ask(engine, "fmt.")
    held = await ask(engine, "fmt.", refuses=lambda said, piece: (said + piece).startswith("C"))
    assert (free.text, held.text) == ("Close(err)", "Println(err)")
    assert free.refused == 0
    assert held.refused > 0
    assert held.mean_logprob < free.mean_logprob


async def test_what_is_refused_sees_the_text_without_healed_bytes(engine: LlamaEngine) -> None:
    seen: list[tuple[str, str]] = []

    def refuses(said: str, piece: str) -> bool:
        seen.append((said, piece))
        return False

    assert (await ask(engine, "fmt.Pri", refuses=refuses)).text == "ntln(err)"
    assert seen[0] == ("", "ntln")
    assert all(said == "".join(piece for _, piece in seen[:number]) for number, (said, _) in enumerate(seen))


async def test_a_place_where_everything_is_refused_ends_the_text(engine: LlamaEngine) -> None:
    held = await ask(engine, "fmt.", refuses=lambda said, piece: said == "Close")
    assert held.text == "Close"
    assert held.finish_reason in ("eos", "stop")  # an end may always come
    assert (await ask(engine, "fmt.Pri", refuses=lambda said, piece: True)).text == ""


async def test_a_generation_is_resumed_behind_some_of_its_tokens_without_another(engine: LlamaEngine) -> None:
    free = await ask(engine, "fmt.")
    assert free.text == "Close(err)"
    at = next(number for number, step in enumerate(free.steps) if step.end == len("Close"))
    again = await ask(engine, "fmt.", resume=Resume(free, at, frozenset({free.steps[at].token})))
    assert again.text == "Println(err)"
    assert again.timings.read_tokens <= 2
    inside = next(number for number, step in enumerate(free.steps) if free.text[: step.end] == "Close(err")
    other = await ask(engine, "fmt.", resume=Resume(free, inside, frozenset({free.steps[inside].token})))
    assert other.text == "Close()"
    assert other.steps[:inside] == free.steps[:inside]
    assert sum(step.logprob for step in other.steps) / len(other.steps) == pytest.approx(other.mean_logprob)


async def test_a_read_is_given_up_in_the_middle_of_a_decode_and_done_again(
    random_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = LlamaSettings(n_ctx=512, chunk_tokens=256, threads=1, preflight=False)
    engine = await LlamaEngine.load(random_path, settings)
    fresh = await ask(engine, "fmt" * 40)
    await ask(engine, "x")
    context = engine._context  # the engine is idle: nobody else is in there
    tokens = engine.vocabulary.tokenize("fmt" * 40)

    def too_late_for_the_flag() -> bool:
        context.give_up()
        return False

    given_up = context.read_prompt(tokens, too_late_for_the_flag)
    assert given_up.logits is None
    assert given_up.read_tokens < len(tokens)
    assert context.read_prompt(tokens, lambda: False).logits is not None
    assert (await ask(engine, "fmt" * 40)).text == fresh.text
    await engine.close()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_cancel_is_heard_once_and_by_who_comes_late() -> None:
    heard: list[int] = []
    token = CancelToken()
    token.heard_by(lambda: heard.append(1))
    token.heard_by(None)
    token.cancel()
    assert heard == []
    token.heard_by(lambda: heard.append(2))
    assert heard == [2]
