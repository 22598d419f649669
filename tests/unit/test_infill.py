"""Infill tokens found in a model's metadata or vocabulary."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from goassist_index.errors import ModelError
from goassist_models.gguf_header import GGUFHeader
from goassist_models.infill import (
    DEFAULT_FORM,
    FAMILIES,
    FORMS,
    InfillForm,
    InfillPrompt,
    RepoContext,
    RepoFile,
    render,
    tokens_of,
)

TYPED_LAST = ("joined", "anchored")


def header(tokens: list[str], **ids: int) -> GGUFHeader:
    metadata = MappingProxyType({f"tokenizer.ggml.{key}_token_id": token for key, token in ids.items()})
    return GGUFHeader(Path("some.gguf"), 0, 0, 0, metadata, tuple(token.encode() for token in tokens))


@pytest.mark.parametrize("name", FAMILIES)
def test_family_is_known_by_its_texts(name: str) -> None:
    row = FAMILIES[name]
    found = tokens_of(header(["a", row.prefix, row.suffix, row.middle, row.stops[0]]))
    assert (found.prefix, found.suffix, found.middle, found.stops) == (
        row.prefix,
        row.suffix,
        row.middle,
        row.stops[:1],
    )


def test_ids_in_metadata_win_over_texts() -> None:
    found = tokens_of(header(["<A>", "<B>", "<C>", "<E>"], fim_pre=0, fim_suf=1, fim_mid=2, eos=3))
    assert (found.prefix, found.suffix, found.middle, found.stops) == ("<A>", "<B>", "<C>", ("<E>",))


def test_older_spelling_of_the_ids_is_understood() -> None:
    found = tokens_of(header(["<A>", "<B>", "<C>"], prefix=0, suffix=1, middle=2))
    assert (found.prefix, found.suffix, found.middle) == ("<A>", "<B>", "<C>")


@pytest.mark.parametrize("ids", [{}, {"fim_pre": 0}, {"fim_pre": 0, "fim_suf": 1, "fim_mid": 77}])
def test_model_without_a_full_set_is_refused_by_name(ids: dict[str, int]) -> None:
    with pytest.raises(ModelError, match=r"some\.gguf.*no infill tokens"):
        tokens_of(header(["a", "b"], **ids))


@pytest.mark.parametrize("form", FORMS.values(), ids=lambda form: form.name)
def test_every_form_holds_each_part_once(form: InfillForm) -> None:
    assert sorted(form.slots) == ["MIDDLE", "PREFIX", "SUFFIX", "prefix", "repo", "suffix", "typed"]


@pytest.mark.parametrize("name", TYPED_LAST)
def test_forms_that_typing_appends_to_end_in_what_is_typed(name: str) -> None:
    assert FORMS[name].slots[-1] == "typed"
    assert FORMS[name].healed


def test_default_form_is_one_that_typing_appends_to() -> None:
    assert DEFAULT_FORM in TYPED_LAST


def test_a_note_stands_as_a_comment_above_the_last_line_in_its_indent() -> None:
    prompt = InfillPrompt(FORMS["joined"], "func f() {\n\treturn ", "\n}\n", note="want int")
    texts = [segment.text for segment in render(prompt, FAMILIES["qwen2.5-coder"]) if not segment.special]
    assert texts == ["\n}\n", "func f() {\n\t// want int\n\treturn "]


REPO = RepoContext(
    "shop", (RepoFile("price/price.go", "package price"), RepoFile("a.go", "<|file_sep|>")), "cart/cart.go"
)


@pytest.mark.parametrize("form", FORMS.values(), ids=lambda form: form.name)
def test_other_files_stand_first_in_the_form_that_the_model_was_trained_with(form: InfillForm) -> None:
    prompt = InfillPrompt(form, "before", "after", repo=REPO)
    segments = render(prompt, FAMILIES["qwen2.5-coder"])
    assert [(segment.text, segment.special) for segment in segments[:8]] == [
        *(("<|repo_name|>", True), ("shop\n", False)),
        *(("<|file_sep|>", True), ("price/price.go\npackage price\n", False)),
        *(("<|file_sep|>", True), ("a.go\n<|file_sep|>\n", False)),
        *(("<|file_sep|>", True), ("cart/cart.go\n", False)),
    ]
    assert segments[8:] == render(replace(prompt, repo=None), FAMILIES["qwen2.5-coder"])


def test_a_model_that_knows_no_repositories_gets_none() -> None:
    prompt = InfillPrompt(FORMS["joined"], "before", "after", repo=REPO)
    assert render(prompt, FAMILIES["codellama"]) == render(replace(prompt, repo=None), FAMILIES["codellama"])


def test_tokens_for_files_are_taken_only_where_the_vocabulary_has_them() -> None:
    fim = ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"]
    for ids in ({}, {"fim_pre": 0, "fim_suf": 1, "fim_mid": 2}):
        assert tokens_of(header(fim, **ids)).file == ""
        found = tokens_of(header([*fim, "<|repo_name|>", "<|file_sep|>"], **ids))
        assert (found.repo, found.file) == ("<|repo_name|>", "<|file_sep|>")
