"""Published models on a mesh of eight devices."""

import jax
import pytest
from jax.sharding import AxisType, PartitionSpec
from our_rows import write_folder
from processes import run_python
from reference_rows import all_rows

from recipes.trainer.sharding import spec_of

LOADED = """
import math, sys
import chex, jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType
from recipes.weights import load

folder, scan, dtype = sys.argv[1], sys.argv[2] == "scan", jnp.dtype(sys.argv[3])
mesh = jax.make_mesh((4, 2), ("data", "model"), axis_types=(AxisType.Auto,) * 2)
whole = load(folder, scan=scan, dtype=dtype)
split = load(folder, scan=scan, dtype=dtype, mesh=mesh)
assert split.model == whole.model
chex.assert_trees_all_equal(jax.device_get(split.params), jax.device_get(whole.params))
leaves = jax.tree.leaves(split.params)
assert all(len(leaf.sharding.device_set) == 8 and leaf.dtype == dtype for leaf in leaves)
parts = {leaf.shape: leaf.addressable_shards[3].data.size for leaf in leaves}
for shape, size in parts.items():
    divided = any(axis % 8 == 0 for axis in shape)
    assert size == math.prod(shape) // (8 if divided else 1), (shape, size)
assert any(size < math.prod(shape) for shape, size in parts.items())
tokens = jnp.arange(6)[None] % 60
logits = [jax.jit(m.apply)({"params": p}, tokens) for m, p, _ in (whole, split)]
logits = [np.asarray(each, np.float32) for each in logits]
np.testing.assert_allclose(*logits, rtol=0, atol=1e-5 if dtype == jnp.float32 else 0.2)
"""


@pytest.mark.parametrize(
    ("name", "layout", "dtype"),
    [
        ("llama_3", "loop", "float32"),
        pytest.param("gpt2", "scan", "float32", marks=pytest.mark.further),
        pytest.param("llama_2", "loop", "bfloat16", marks=pytest.mark.further),
    ],
)
@pytest.mark.slow
def test_a_model_on_eight_devices_is_the_model_on_one(name, layout, dtype, tmp_path):
    write_folder(all_rows()[name], tmp_path)
    flags = "--xla_force_host_platform_device_count=8"
    run_python(LOADED, tmp_path, layout, dtype, XLA_FLAGS=flags)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((24, 40), PartitionSpec(None, ("a", "b"))),
        ((40, 24, 3), PartitionSpec(("a", "b"))),
        ((3, 16, 16), PartitionSpec(None, ("a", "b"))),
        ((12, 20), PartitionSpec()),
        ((0, 3), PartitionSpec()),
        ((), PartitionSpec()),
    ],
)
def test_the_largest_axis_that_eight_divides_is_split(shape, expected):
    # The choice goes by sizes alone, so that eight devices need not be there.
    mesh = jax.sharding.AbstractMesh((4, 2), ("a", "b"), axis_types=(AxisType.Auto,) * 2)
    assert spec_of(shape, mesh) == expected
