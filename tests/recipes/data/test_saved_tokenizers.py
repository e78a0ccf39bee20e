import json

import pytest

from recipes.data.saved_tokenizers import check_same_tokenizer, load_tokenizer, save_tokenizer
from recipes.data.tokenizers import ByteTokenizer, CharTokenizer
from recipes.errors import RecipeError


@pytest.mark.parametrize("tokenizer", [CharTokenizer('\n"é\U0001f600'), ByteTokenizer()], ids=repr)
def test_a_tokenizer_survives_the_way_to_the_disk_and_back(tmp_path, tokenizer):
    tokenizer.encode("\n")
    save_tokenizer(tokenizer, tmp_path / "tokenizer.json")

    assert load_tokenizer(tmp_path / "tokenizer.json") == tokenizer


def test_the_file_holds_format_kind_and_vocabulary(tmp_path):
    save_tokenizer(CharTokenizer("abc"), tmp_path / "tokenizer.json")

    content = json.loads((tmp_path / "tokenizer.json").read_text())
    assert len(content.pop("sha256")) == 64
    assert content == {"format": 1, "kind": "characters", "vocabulary": "abc"}


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("", "is damaged: Expecting value"),
        ('{"format": 1, "kind": "characters", "vocabu', "is damaged: "),
        (b"\xff\xfe\xff", "is damaged: "),
        ("[1, 2]", "is damaged: it holds no table of names"),
        ('{"kind": "bytes"}', "is damaged: its format or kind is missing"),
        ('{"format": "1", "kind": "bytes"}', "is damaged: its format or kind is missing"),
        ('{"format": 1}', "is damaged: its format or kind is missing"),
        ('{"format": 2, "kind": "bytes"}', "has format 2, not 1"),
        ('{"format": 1, "kind": "words"}', "is of unknown kind 'words'"),
        ('{"format": 1, "kind": ["bytes"]}', r"is of unknown kind \['bytes'\]"),
        ('{"format": 1, "kind": "characters"}', "is damaged: .*vocabulary"),
        ('{"format": 1, "kind": "bytes", "vocabulary": "a"}', "is damaged: .*vocabulary"),
        ('{"format": 1, "kind": "characters", "vocabulary": "ba"}', "is damaged: .*sorted"),
        ('{"format": 1, "kind": "characters", "vocabulary": 7}', "is damaged: .*vocabulary=7"),
    ],
)
def test_a_damaged_or_unknown_file_is_refused(tmp_path, content, cause):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(RecipeError, match=f"'.*tokenizer.json' {cause}"):
        load_tokenizer(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(RecipeError, match=r"tokenizer.json' cannot be read: No such file"):
        load_tokenizer(tmp_path / "tokenizer.json")


def test_equal_tokenizers_are_the_same():
    check_same_tokenizer(CharTokenizer("abc"), CharTokenizer("abc"))
    check_same_tokenizer(ByteTokenizer(), ByteTokenizer())
