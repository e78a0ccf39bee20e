"""Folders as the retired Flax classes wrote them give the parameters that PyTorch's give."""

from pathlib import Path

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import serialization
from flax.traverse_util import unflatten_dict
from our_rows import write_folder
from reference_rows import all_rows

from recipes.errors import RecipeError
from recipes.weights import load
from recipes.weights.folder import FLAX_WEIGHTS, WEIGHTS, tensors_of
from recipes.weights.msgpack import in_pytorch, read_msgpack


def as_flax_wrote_it(folder: Path) -> None:
    """Replace a folder's weights by the file that a Flax class had for them.

    It had `FlaxGPT2LMHeadModel` and `FlaxLlamaForCausalLM`: dense kernels, those of GPT-2's
    `Conv1D` too, are PyTorch's matrices transposed, tables are not.
    """
    tree = {}
    for name, tensor in tensors_of(folder).items():
        *modules, last = name.split(".")
        array = tensor.read()
        if last == "weight" and modules[-1] in ("wte", "wpe", "embed_tokens"):
            last = "embedding"
        elif last == "weight" and modules[-1] in ("ln_1", "ln_2", "ln_f"):
            last = "scale"
        elif last == "weight" and array.ndim == 2:
            last, array = "kernel", np.ascontiguousarray(array.T)
        tree[(*modules, last)] = array
    (folder / FLAX_WEIGHTS).write_bytes(serialization.msgpack_serialize(unflatten_dict(tree)))
    (folder / WEIGHTS).unlink()


@pytest.mark.parametrize("name", ["gpt2", "llama_2"])
def test_parameters_are_those_of_the_folder_that_pytorch_wrote(name, tmp_path):
    write_folder(all_rows()[name], tmp_path)
    expected = load(tmp_path).params
    as_flax_wrote_it(tmp_path)
    chex.assert_trees_all_equal(load(tmp_path).params, expected)


def test_a_convolution_of_flax_is_pytorch_s():
    image = jax.random.normal(jax.random.key(0), (1, 5, 6, 3))
    flax = nn.Conv(4, (2, 3), padding="VALID", use_bias=False)
    variables = flax.init(jax.random.key(1), image)
    name, weight = in_pytorch(("conv", "kernel"), np.asarray(variables["params"]["kernel"]))
    axes = ("NHWC", "OIHW", "NHWC")
    found = jax.lax.conv_general_dilated(image, weight, (1, 1), "VALID", dimension_numbers=axes)
    assert name == "conv.weight"
    chex.assert_trees_all_close(found, flax.apply(variables, image), atol=1e-6)


def test_bfloat16_stays(tmp_path):
    content = {"a": {"bias": jnp.asarray([1.5, -2.0], jnp.bfloat16)}}
    (tmp_path / "x").write_bytes(serialization.msgpack_serialize(content))
    (found,) = read_msgpack(tmp_path / "x").values()
    assert found.dtype == jnp.bfloat16
    assert found.read().tolist() == [1.5, -2.0]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xc1",
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 100_000,
        b"\x81\xa1a\xc7\x03\x01abc",
        serialization.msgpack_serialize({"a": np.zeros(3)})[:-1],
        serialization.msgpack_serialize({"a": np.zeros(3)}) + b"\0",
        serialization.msgpack_serialize({"a": "text"}),
        serialization.msgpack_serialize({"a": {"__msgpack_chunked_array__": 1}}),
        serialization.msgpack_serialize(np.zeros(3)),
        serialization.msgpack_serialize([np.zeros(3)]),
    ],
    ids=range(11),
)
def test_damaged_files_are_refused(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(RecipeError, match="is damaged"):
        read_msgpack(tmp_path / "x")
