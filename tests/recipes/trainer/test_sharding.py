"""Training on a mesh of eight simulated devices, and how parameters are split over it."""

import pytest
from jax.sharding import AbstractMesh, AxisType, PartitionSpec
from mesh_training import EIGHT
from recipes_tiny import run_python

from recipes.trainer.sharding import parameter_spec

SHAPES = [
    f"data={data},fsdp={fsdp},tensor={8 // data // fsdp}"
    for data in (1, 2, 4, 8)
    for fsdp in (1, 2, 4, 8)
    if 8 % (data * fsdp) == 0
]

TRAINED = """
import sys
import numpy as np
from mesh_training import losses, start
accumulate = int(sys.argv[1])
one, _ = losses(start(None), accumulate=accumulate)
for mesh in sys.argv[2:]:
    many, trainer = losses(start(mesh), accumulate=accumulate)
    np.testing.assert_allclose(many, one, rtol=0, atol=1e-4, err_msg=mesh)
    assert len(trainer.state.params["norm"]["scale"].sharding.device_set) == 8
    print(mesh, many)
"""

HELD = """
from mesh_training import bytes_of, start
whole = start(None)
for mesh, parts in ("data=8", 1), ("fsdp=8", 8), ("tensor=4,data=2", 4), ("fsdp=4,tensor=2", 8):
    split = start(mesh)
    for each, all_ in (split.params, whole.params), (split.opt_state, whole.opt_state):
        part = bytes_of(each) / bytes_of(all_)
        # Vectors, and positions under `tensor`, are copied.
        assert 1 / parts <= part <= 1 / parts + 0.05, (mesh, part)
"""

SOAP = """
import numpy as np
from mesh_training import bytes_of, losses, start
from recipes.trainer.settings import OptimizerSettings
optimizer = OptimizerSettings(name="soap", warmup_steps=2)
whole, split = (start(mesh, optimizer=optimizer) for mesh in (None, "fsdp=4,tensor=2"))
# Matrices that precondition have no axis of heads or hidden units, which `tensor` splits.
part = bytes_of(split.opt_state) / bytes_of(whole.opt_state)
assert 1 / 8 <= part <= 1 / 4, part
one, many = (losses(state, steps=12)[0] for state in (whole, split))
np.testing.assert_allclose(many, one, rtol=0, atol=1e-3)
"""

# Of a vocabulary that the devices do not divide, so that features of the table are split.
SENT = """
from dataclasses import replace
from recipes.nanogpt import build_gpt
from recipes.planning.compiled import compiled
from recipes.presets import PRESETS
from recipes.trainer.mesh import MeshShape
recipe = PRESETS["quick"]
for scan in (False, True):
    config = replace(recipe.model, num_layers=1, vocab_size=65, scan=scan)
    weights = []
    for batch in 8, 64:
        found = compiled(
            replace(recipe, batch_size=batch, model=config), build_gpt(config), MeshShape(fsdp=8)
        )
        weights.append(found.sent["all-gather"] + found.sent["all-reduce"])
    assert weights[1] < 1.1 * weights[0], (scan, weights)
"""


def test_a_mesh_trains_as_one_device_does():
    run_python(TRAINED, 1, "data=2,fsdp=2,tensor=2", XLA_FLAGS=EIGHT)


@pytest.mark.slow
def test_every_mesh_trains_as_one_device_does():
    printed = run_python(TRAINED, 1, *SHAPES, "expert=8", "expert=2,tensor=4", XLA_FLAGS=EIGHT)
    assert len(printed.splitlines()) == len(SHAPES) + 2 == 12


@pytest.mark.slow
def test_accumulated_batches_are_split_too():
    run_python(TRAINED, 2, "data=8", "fsdp=4,tensor=2", XLA_FLAGS=EIGHT)


@pytest.mark.slow
def test_what_fsdp_gathers_and_sums_does_not_grow_with_the_batch():
    run_python(SENT, XLA_FLAGS=EIGHT)


@pytest.mark.slow
def test_a_device_holds_its_share_of_parameters_and_of_the_optimiser_s_state():
    run_python(HELD, XLA_FLAGS=EIGHT)


@pytest.mark.slow
def test_soap_trains_on_a_mesh_as_on_one_device():
    run_python(SOAP, XLA_FLAGS=EIGHT)


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("stack.layer_0.attention.query.kernel", (64, 4, 16), (("fsdp",), ("tensor",))),
        ("stack.layer_0.attention.out.kernel", (4, 16, 64), (("tensor",), None, ("fsdp",))),
        ("stack.layer_0.attention.query.bias", (4, 16), (("tensor",), ("fsdp",))),
        # Half of the hidden units is still the larger axis.
        ("stack.layer_0.mlp.up.kernel", (64, 256), (None, ("tensor", "fsdp"))),
        ("stack.layer_0.mlp.down.kernel", (256, 64), (("tensor", "fsdp"),)),
        ("stack.layer_0.mlp.up.bias", (256,), (("tensor",),)),
        ("stack.layers.mlp.up.kernel", (8, 64, 64), (None, ("fsdp",), ("tensor",))),
        ("embed.embedding", (512, 64), (("tensor", "fsdp"),)),
        ("head.kernel", (64, 512), (None, ("tensor", "fsdp"))),
        ("embed.position.embedding", (128, 64), (("fsdp",),)),
        ("norm.scale", (64,), ()),
        ("moe.experts.gate.kernel", (6, 64, 32), (("expert",), ("fsdp",), ("tensor",))),
        # Three heads and an odd vocabulary are not divided.
        ("stack.layer_0.attention.query.kernel", (64, 3, 16), (("fsdp",),)),
        ("embed.embedding", (513, 64), (None, ("fsdp",))),
        ("a.name.of.its.own", (6, 64), (None, ("fsdp",))),
        ("a.name.of.its.own", (3, 5), ()),
    ],
)
def test_a_parameter_is_split_as_its_name_and_its_sizes_say(name, shape, expected):
    names = ("data", "fsdp", "expert", "tensor")
    mesh = AbstractMesh((1, 4, 2, 2), names, axis_types=(AxisType.Auto,) * 4)
    assert parameter_spec(name, shape, mesh) == PartitionSpec(*expected)
