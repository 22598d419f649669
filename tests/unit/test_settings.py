"""Settings: what was sent, what is used, and what the user is told about the difference."""

from __future__ import annotations

from dataclasses import fields

import pytest

from goassist_lsp.settings import (
    CLIENT_SETTINGS,
    EAGERNESS,
    MODEL_VARIABLE,
    Options,
    Settings,
    read_options,
    resolve,
    wire_name,
)


def settled(sent: object) -> tuple[Settings, list[str]]:
    options, problems = read_options(sent)
    settings, more = resolve(options, {})
    return settings, problems + more


@pytest.mark.parametrize("sent", [None, {}, {"goassist": {}}, {"candidates": None}, {"trace": {"server": "off"}}])
def test_nothing_set_means_the_defaults_and_no_complaint(sent: object) -> None:
    assert settled(sent) == (Settings(), [])


def test_settings_are_taken_in_camel_case_with_and_without_their_section() -> None:
    sent = {"maxTokensLine": 7, "checkTypes": False, "model": "big", "logLevel": "debug"}
    expected = Settings(max_tokens_line=7, check_types=False, model="big", log_level="debug")
    assert settled(sent) == settled({"goassist": sent}) == (expected, [])


@pytest.mark.parametrize(
    ("sent", "complaint"),
    [
        ({"candidates": 9}, "Setting goassist.candidates was given 9; expected a whole number from 1 to 5. Using 1"),
        (
            {"candidates": "3"},
            'Setting goassist.candidates was given "3"; expected a whole number from 1 to 5. Using 1',
        ),
        ({"threads": 1.5}, "Setting goassist.threads was given 1.5; expected a whole number from 0 to 256. Using 0"),
        ({"threads": True}, "Setting goassist.threads was given true; expected a whole number from 0 to 256. Using 0"),
        ({"enabled": "no"}, 'Setting goassist.enabled was given "no"; expected true or false. Using true'),
        ({"model": ["a"]}, 'Setting goassist.model was given ["a"]; expected a string. Using ""'),
        (
            {"eagerness": "keen"},
            f'Setting goassist.eagerness was given "keen"; expected one of {", ".join(EAGERNESS)}. Using "balanced"',
        ),
        ({"infillForm": "psm"}, "There is no setting goassist.infillForm; it was left aside"),
        ({"modle": "x"}, "There is no setting goassist.modle; it was left aside"),
        ("fast", 'The goassist settings were given as "fast"; expected an object. Using the defaults'),
    ],
)
def test_a_wrong_setting_is_named_with_what_was_given_and_what_is_used(sent: object, complaint: str) -> None:
    assert settled(sent) == (Settings(), [complaint])


def test_one_wrong_setting_does_not_cost_the_others() -> None:
    settings, problems = settled({"candidates": [], "multiline": False, "nonsense": 1, "contextTokens": 2048})
    assert settings == Settings(multiline=False, context_tokens=2048)
    assert len(problems) == 2


def test_later_options_win_only_where_they_are_set() -> None:
    later, earlier = Options(candidates=2), Options(candidates=4, multiline=False)
    assert later.over(earlier) == Options(candidates=2, multiline=False)


def test_the_environment_names_the_model_over_any_setting() -> None:
    settings, _ = resolve(Options(model="a"), {MODEL_VARIABLE: "/models/b.gguf"})
    assert settings.model == "/models/b.gguf"


def test_there_are_at_most_fifteen_settings_each_with_one_sentence() -> None:
    documented = [setting.metadata["doc"] for setting in fields(Settings) if setting.metadata]
    documented += CLIENT_SETTINGS.values()
    assert len(documented) <= 15
    assert all(doc.endswith(".") and doc[0].isupper() for doc in documented)


def test_options_and_settings_have_the_same_names() -> None:
    assert [option.name for option in fields(Options)] == [
        setting.name for setting in fields(Settings) if setting.metadata
    ]
    assert wire_name("max_tokens_block") == "maxTokensBlock"


def test_every_default_is_in_its_own_range() -> None:
    defaults = Options(**{option.name: getattr(Settings(), option.name) for option in fields(Options)})
    assert resolve(defaults, {}) == (Settings(), [])
