"""Files of tensors that are damaged or made to do harm are refused without being read."""

import json
import math
from pathlib import Path

import pytest
from tensor_files import entry, file_of

from recipes.data import safetensors
from recipes.errors import RecipeError

pytestmark = pytest.mark.fault(35)


def refused(path: Path, *words: str) -> None:
    with pytest.raises(RecipeError) as caught:
        safetensors.read_header(path)
    assert str(path) in caught.value.cause
    for word in words:
        assert word in caught.value.cause


@pytest.mark.parametrize("length", [2**63, 10**9, 62])
def test_a_header_longer_than_the_file_is_refused_without_being_read(tmp_path, length):
    path = file_of(tmp_path / "x", {"a": entry(0, 0, 0)}, claims=length)
    refused(path, str(length))


def test_a_header_past_the_limit_of_the_format_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(safetensors, "MAX_HEADER", 20)
    refused(file_of(tmp_path / "x", {"a": entry(0, 0, 0)}), "claims")


@pytest.mark.parametrize("content", [b"", b"\x01", b"\x08\0\0\0\0\0\0\0", b"PK\x03\x04" * 9])
def test_a_file_without_a_header_is_refused(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    refused(tmp_path / "x", "claims")


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '"a"', "[" * 100_000, "\x00", '{"a": 1e'])
def test_a_header_that_is_no_object_is_refused(tmp_path, text):
    refused(file_of(tmp_path / "x", text), "not a JSON object")


def test_tensors_that_overlap_are_refused(tmp_path):
    header = {"a": entry(0, 8, 2), "b": entry(4, 12, 2)}
    refused(file_of(tmp_path / "x", header, b"\0" * 12), "'b' begins at byte 4")


def test_bytes_between_tensors_are_refused(tmp_path):
    header = {"a": entry(0, 4, 1), "b": entry(8, 12, 1)}
    refused(file_of(tmp_path / "x", header, b"\0" * 12), "'b' begins at byte 8")


@pytest.mark.parametrize("extra", [-4, 4])
def test_a_file_that_ends_elsewhere_than_its_tensors_is_refused(tmp_path, extra):
    refused(file_of(tmp_path / "x", {"a": entry(0, 8, 2)}, b"\0" * (8 + extra)), "end at byte")


@pytest.mark.parametrize(("first", "last"), [(-4, 4), (8, 0), (0, 2**70), (0, 4)])
def test_offsets_that_do_not_hold_the_shape_are_refused(tmp_path, first, last):
    refused(file_of(tmp_path / "x", {"a": entry(first, last, 2)}, b"\0" * 8), "'a'")


@pytest.mark.parametrize(
    "shape",
    [[-2, -1], [2.0], [True, 2], ["2"], [[2]], [None], [2**62, 0], [1] * 40],
    ids=lambda shape: str(shape)[:20],
)
def test_shapes_that_no_array_has_are_refused(tmp_path, shape):
    size = 4 * math.prod(shape) if all(type(axis) is int for axis in shape) else 8
    header = {"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}
    refused(file_of(tmp_path / "x", header, b"\0" * size), "'a'")


@pytest.mark.parametrize(
    "wrong",
    [{"shape": 2}, {"data_offsets": [0]}, {"data_offsets": "08"}, {"dtype": 4}, {"shape": None}],
    ids=str,
)
def test_entries_of_another_form_are_refused(tmp_path, wrong):
    refused(file_of(tmp_path / "x", {"a": entry(0, 8, 2) | wrong}, b"\0" * 8), "'a'")


def test_a_name_that_stands_twice_is_refused(tmp_path):
    once = json.dumps(entry(0, 4, 1))
    refused(file_of(tmp_path / "x", f'{{"a": {once}, "a": {once}}}', b"\0" * 4), "'a'", "twice")


def test_a_key_that_stands_twice_in_an_entry_is_refused(tmp_path):
    text = '{"a": {"dtype": "F32", "dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}'
    refused(file_of(tmp_path / "x", text, b"\0" * 4), "'dtype'", "twice")


def test_a_dtype_that_is_not_supported_is_named(tmp_path):
    path = file_of(tmp_path / "x", {"a": entry(0, 1, 2, dtype="F4")}, b"\0")
    refused(path, "'a'", "'F4'", "not supported")
