"""Training on a mesh of eight simulated devices, and how parameters are split over it."""

import json
from typing import Any

import numpy as np
import pytest
from jax.sharding import AbstractMesh, AxisType, PartitionSpec
from mesh_training import EIGHT
from processes import run_python

from recipes.trainer.sharding import parameter_spec

SHAPES = [
    f"data={data},fsdp={fsdp},tensor={8 // data // fsdp}"
    for data in (1, 2, 4, 8)
    for fsdp in (1, 2, 4, 8)
    if 8 % (data * fsdp) == 0
]
EXPERTS = ["expert=8", "expert=2,tensor=4"]
SEQUENCES = ["sequence=8", "data=2,sequence=4", "fsdp=2,sequence=2,tensor=2"]
MIXTURE = {"num_experts": 4, "top_k": 2}
CASES: dict[str, dict[str, Any]] = {
    **{mesh: {"mesh": mesh} for mesh in (*SHAPES, *EXPERTS, *SEQUENCES)},
    "accumulate over data": {"mesh": "data=8", "accumulate": 2},
    "accumulate": {"mesh": SEQUENCES[2], "accumulate": 2},
    "scan and sublayers": {"mesh": SEQUENCES[2], "scan": True, "remat": "sublayers"},
    "dots": {"mesh": "fsdp=4,tensor=2", "remat": "dots"},
    "bfloat16": {"mesh": "fsdp=4,tensor=2", "dtype": "bfloat16"},
    "experts": {"mesh": "data=2,expert=4", **MIXTURE},
    "experts and tensor": {"mesh": "expert=2,sequence=2,tensor=2", **MIXTURE},
}

# Each axis and each option once; they stand for the other meshes.
STANDING = (
    *("data=8,fsdp=1,tensor=1", "data=1,fsdp=4,tensor=2", "expert=2,tensor=4", "accumulate"),
    *("scan and sublayers", "dots", "bfloat16", "experts"),
)
every_mesh = [
    pytest.param(case, marks=[] if case in STANDING else pytest.mark.further) for case in CASES
]

COMPARED = """
import json, sys
from mesh_training import compared
for case in json.loads(sys.argv[1]):
    print(json.dumps(compared(**case)))
"""

STARTED = """
import numpy as np
from mesh_training import losses, start
one, _ = losses(start(None))
many, trainer = losses(start("fsdp=2,sequence=2,tensor=2"))
np.testing.assert_allclose(many, one, rtol=0, atol=1e-4)
assert len(trainer.state.params["norm"]["scale"].sharding.device_set) == 8
"""

ACTIVATIONS = """
import functools
import jax, jax.numpy as jnp
from mesh_training import start
from recipes.nanogpt import next_token_loss
from recipes.trainer.placement import split_loss
from recipes.trainer.sharding import make_mesh
from recipes.trainer.step import train_step

def held(text):
    mesh = make_mesh(text)
    state = jax.eval_shape(functools.partial(start, None, context=256, dropout_rate=0.0))
    tokens = jax.ShapeDtypeStruct((4, 256), jnp.int32)
    step = functools.partial(train_step, loss=split_loss(next_token_loss, mesh))
    compiled = jax.jit(step).lower(state, {"inputs": tokens, "targets": tokens}).compile()
    return compiled.memory_analysis().temp_size_in_bytes

print(held("sequence=8") / held("data=1"))
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


@pytest.mark.slow
def test_a_mesh_trains_as_one_device_does():
    run_python(STARTED, **EIGHT)


@pytest.fixture(scope="module")
def trained(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    """What one process found out about the cases that tests of this run are about."""
    asked = {
        item.callspec.params.get("case")
        for item in request.session.items
        if item.path == request.path and hasattr(item, "callspec")
    }
    cases = {case: options for case, options in CASES.items() if case in asked}
    printed = run_python(COMPARED, json.dumps([*cases.values()]), **EIGHT)
    return dict(zip(cases, map(json.loads, printed.splitlines()), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("case", every_mesh)
def test_every_mesh_trains_as_one_device_does(trained, case):
    found = trained[case]
    # Sums in another order are rounded to 8 bits.
    tolerance = 0.02 if case == "bfloat16" else 1e-4
    np.testing.assert_allclose(found["many"], found["one"], rtol=0, atol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "parts"),
    [
        ("data=8,fsdp=1,tensor=1", 1),
        pytest.param("data=1,fsdp=8,tensor=1", 8, marks=pytest.mark.further),
        pytest.param("data=2,fsdp=1,tensor=4", 4, marks=pytest.mark.further),
        ("data=1,fsdp=4,tensor=2", 8),
        pytest.param("sequence=8", 1, marks=pytest.mark.further),
    ],
)
def test_a_device_holds_its_share_of_parameters_and_of_the_optimiser_s_state(trained, case, parts):
    for kind in ("params", "slots"):
        # Vectors, and positions under `tensor`, are copied.
        assert 1 / parts <= trained[case][kind] <= 1 / parts + 0.05


@pytest.mark.slow
def test_what_fsdp_gathers_and_sums_does_not_grow_with_the_batch():
    run_python(SENT, **EIGHT)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["experts"])
def test_a_device_holds_its_share_of_the_experts(trained, case):
    # Of 35,000 parameters, 33,000 are the experts' kernels, of which it has a quarter.
    experts, others = 4 * 2 * 32 * 128, 4 * 32**2 + (64 + 16) * 32 + 4 * 32 + 3 * 32
    expected = (experts / 4 + others) / (experts + others)
    np.testing.assert_allclose(trained[case]["params"], expected, rtol=1e-3)


@pytest.mark.slow
def test_a_device_holds_its_share_of_the_activations_of_a_sequence():
    share = float(run_python(ACTIVATIONS, **EIGHT))
    # Keys, values, gradients of parameters and what the compiler gathers for them are whole.
    assert 1 / 8 < share < 1 / 3


@pytest.mark.slow
@pytest.mark.further  # of optimisers AdamW's state is split and trained with above
def test_soap_trains_on_a_mesh_as_on_one_device():
    run_python(SOAP, **EIGHT)


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
        ("mlp.experts.gate.kernel", (6, 64, 32), (("expert",), ("fsdp",), ("tensor",))),
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
