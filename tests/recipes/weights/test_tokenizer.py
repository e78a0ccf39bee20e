"""Tokenizers of published models against what the reference library does with the same files.

The golden files are made by `make_tokenizers.py`.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.errors import RecipeError
from recipes.weights.tokenizer import (
    SETTINGS,
    TEMPLATE,
    TOKENIZER,
    PublishedTokenizer,
    tokenizer_of,
)

GOLDEN = Path(__file__).parent / "golden"
KINDS = ("byte_pairs", "word_pieces", "unigram")


def golden(kind: str) -> dict[str, Any]:
    return json.loads((GOLDEN / f"{kind}.json").read_text(encoding="utf-8"))


def tokenizer(kind: str) -> PublishedTokenizer:
    files = golden(kind)["files"]
    return PublishedTokenizer(files[TOKENIZER], files[SETTINGS], files.get(TEMPLATE, ""))


def with_template(template: object) -> PublishedTokenizer:
    content = golden("byte_pairs")["files"][TOKENIZER]
    return PublishedTokenizer(content, json.dumps({"chat_template": template}))


@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_encoded_as_the_reference_does(kind):
    ours = tokenizer(kind)
    for case in golden(kind)["cases"]:
        assert ours.encode(case["text"]).tolist() == case["ids"]
        assert ours.encode(case["text"], special=False).tolist() == case["bare"]


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_decoded_as_the_reference_does(kind):
    ours = tokenizer(kind)
    for case in golden(kind)["cases"]:
        assert ours.decode(case["ids"]) == case["decoded"]
        assert ours.decode(case["ids"], skip_special=True) == case["skipped"]


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_are_the_reference_s(kind):
    assert tokenizer(kind).special == golden(kind)["special"]


def test_conversations_are_rendered_as_the_reference_does():
    ours, chats = tokenizer("byte_pairs"), golden("byte_pairs")["chats"]
    assert chats
    for chat in chats:
        text = chat.pop("text")
        assert ours.chat(chat.pop("messages"), **chat) == text


@given(text=st.text(), cuts=st.lists(st.integers(1, 5)))
@pytest.mark.parametrize("kind", ["byte_pairs", "unigram"])
def test_a_stream_gives_the_text_that_decoding_gives(kind, text, cuts):
    ours = tokenizer(kind)
    ids, stream, found = ours.encode(text).tolist(), None, ""
    stream = ours.stream()
    rest = list(ids)
    for cut in [*cuts, *[1] * len(ids)]:
        found += stream.push(rest[:cut])
        rest = rest[cut:]
    assert found + stream.flush() == ours.decode(ids)


def test_a_character_of_several_tokens_is_given_when_it_is_whole():
    ours = tokenizer("byte_pairs")
    ids = ours.encode("é", special=False).tolist() + ours.encode("ü", special=False).tolist()
    stream = ours.stream()
    pieces = [stream.push([number]) for number in ids]
    assert "".join(pieces) == "éü"
    assert not any("\ufffd" in piece for piece in pieces)


def test_an_id_outside_the_vocabulary_is_named():
    with pytest.raises(RecipeError, match="Token id 5000 at position 1 is outside"):
        tokenizer("unigram").decode([3, 5000])


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_saved_is_read_as_an_equal_value(kind, tmp_path):
    for name, text in golden(kind)["files"].items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    first = tokenizer_of(tmp_path)
    assert first is not None
    (tmp_path / "copy").mkdir()
    first.save(tmp_path / "copy")
    assert tokenizer_of(tmp_path / "copy") == first
    assert first != tokenizer(next(other for other in KINDS if other != kind))


def test_a_folder_without_a_tokenizer_has_none(tmp_path):
    assert tokenizer_of(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{}", "[]", "[" * 100_000, '{"model": 3}'])
def test_a_damaged_tokenizer_is_refused(content):
    with pytest.raises(RecipeError, match=r"tokenizer\.json is damaged"):
        PublishedTokenizer(content)


@pytest.mark.parametrize(
    "settings", ["[]", "{", '{"eos_token": 7}', '{"eos_token": {"content": []}}']
)
def test_damaged_settings_are_refused(settings):
    with pytest.raises(RecipeError, match=r"tokenizer_config\.json is damaged"):
        _ = PublishedTokenizer(golden("unigram")["files"][TOKENIZER], settings).special


def test_without_the_package_the_error_says_how_to_go_on(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(RecipeError) as caught:
        tokenizer("unigram")
    assert "linen-blocks[hf]" in caught.value.fix
    assert "tokenizer=False" in caught.value.fix


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{{ dict.__base__.__subclasses__() }}",
        "{% set n = namespace() %}{% set n.__init__ = 1 %}",
        "{{ namespace(__class__=1) }}",
        "{{ cycler.__init__.__globals__ }}",
        "{% for i in range(10000000) %}{% endfor %}",
        "{% include '/etc/passwd' %}",
        "{{ messages[7].role.x }}",
        "{{ 1 / 0 }}",
        "{% if %}",
    ],
)
def test_a_template_can_do_nothing_but_render(template):
    with pytest.raises(RecipeError, match="chat template cannot be rendered"):
        with_template(template).chat([{"role": "user", "content": "x"}])


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception.__globals__ }}",
        "{{ strftime_now.__code__ }}",
        "{{ '{0.__class__}'.format(messages) }}",
        "{{ messages|attr('__class__') }}",
    ],
)
def test_a_template_does_not_see_what_lies_behind_values(template):
    assert with_template(template).chat([{"role": "user", "content": "x"}]) == ""


def test_a_template_s_own_refusal_is_shown():
    with pytest.raises(RecipeError, match="Unknown role robot"):
        tokenizer("byte_pairs").chat([{"role": "robot", "content": "x"}])


@pytest.mark.parametrize("messages", [["x"], [{"role": object()}], [{"role": {1, 2}}]])
def test_messages_that_are_no_plain_values_are_refused(messages):
    with pytest.raises(RecipeError, match="messages cannot be given"):
        tokenizer("byte_pairs").chat(messages)


def test_a_model_of_several_templates_takes_the_one_for_tools_where_there_are_tools():
    several = [{"name": "default", "template": "a"}, {"name": "tool_use", "template": "b"}]
    ours = with_template(several)
    message = [{"role": "user", "content": "x"}]
    assert ours.chat(message) == "a"
    assert ours.chat(message, tools=[{}]) == "b"
    assert ours.chat(message, template="tool_use") == "b"


def test_a_model_without_a_template_says_so():
    with pytest.raises(RecipeError, match="no chat template 'default'"):
        tokenizer("unigram").chat([{"role": "user", "content": "x"}])
