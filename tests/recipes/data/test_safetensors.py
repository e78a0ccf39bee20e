"""Files of tensors give the bytes that were written; damaged ones stand in tests/faults."""

import json
import os
import struct
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from tensor_files import entry, file_of

from recipes.data import safetensors
from recipes.errors import RecipeError


def test_tensors_are_read_with_their_names_shapes_and_bytes(tmp_path):
    header = {"__metadata__": {"format": "pt"}, "a": entry(0, 8, 2), "b": entry(8, 12, 1, 1)}
    path = file_of(tmp_path / "x", header, struct.pack("<3f", 1.5, -2.0, 0.25))
    tensors = safetensors.read_header(path)
    assert {name: tensor.read().tolist() for name, tensor in tensors.items()} == {
        "a": [1.5, -2.0],
        "b": [[0.25]],
    }


def test_bfloat16_is_read_as_such(tmp_path):
    path = file_of(tmp_path / "x", {"a": entry(0, 4, 2, dtype="BF16")}, b"\xc0\x3f\x00\xc0")
    found = safetensors.read_header(path)["a"].read()
    assert found.dtype == jnp.bfloat16
    assert found.tolist() == [1.5, -2.0]


def test_what_was_written_has_its_bytes_at_the_places_in_the_header(tmp_path):
    arrays = {"half": np.arange(3, dtype=np.float16), "one": np.array([7.0], np.float32)}
    safetensors.write(tmp_path / "x", arrays)
    content = (tmp_path / "x").read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    for name, array in arrays.items():
        first, last = header[name]["data_offsets"]
        assert content[8 + length :][first:last] == array.tobytes()
        assert (8 + length + first) % array.itemsize == 0


def test_a_transposed_array_is_written_as_it_reads(tmp_path):
    array = np.arange(6.0, dtype=np.float32).reshape(2, 3).T
    safetensors.write(tmp_path / "x", {"a": array})
    assert safetensors.read_header(tmp_path / "x")["a"].read().tolist() == [[0, 3], [1, 4], [2, 5]]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes of this kind")
def test_others_may_read_what_the_umask_lets_them(tmp_path):
    before = os.umask(0o022)
    try:
        safetensors.write(tmp_path / "x", {"a": np.zeros(1, np.float32)})
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o644


def test_an_array_that_the_format_lacks_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="a has the dtype complex128"):
        safetensors.write(tmp_path / "x", {"a": np.zeros(1, np.complex128)})
    assert not list(tmp_path.iterdir())
