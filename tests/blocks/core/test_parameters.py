"""`check_parameters`: what does not belong to a model is named, on both sides."""

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import MLP, Stack
from blocks.core import Block
from blocks.core.parameters import check_parameters, parameter_shapes

X = jnp.ones((1, 2, 4))


def stack(**fields: Any) -> Stack:
    return Stack(**{"block": MLP(hidden=3), "depth": 4, **fields})


def params(block: Any) -> Any:
    return block.init(jax.random.key(0), X)["params"]


def test_a_models_own_parameters_pass() -> None:
    check_parameters(stack(), params(stack()), X)
    check_parameters(
        stack(), jax.device_get(params(stack())), jax.ShapeDtypeStruct(X.shape, X.dtype)
    )


def test_weights_of_more_layers_are_left_over() -> None:
    with pytest.raises(ValueError, match=r"of this Stack\n  left over:  layer_2/down/bias \(4,\)"):
        check_parameters(stack(depth=2), params(stack()), X)


def test_biases_that_the_model_has_not_are_left_over() -> None:
    with pytest.raises(ValueError, match=r"left over:  up/bias \(3,\)"):
        check_parameters(MLP(hidden=3, use_bias=False), params(MLP(hidden=3)), X)


def test_what_is_missing_or_misshapen_is_named_with_both_sides() -> None:
    given = params(MLP(hidden=3))
    del given["down"]["bias"]
    given["up"]["kernel"] = jnp.ones((5, 3))
    match = r"missing:    down/bias \(4,\)\n  misshapen:  up/kernel \(5, 3\), .* has \(4, 3\)"
    with pytest.raises(ValueError, match=match):
        check_parameters(MLP(hidden=3), given, X)


@pytest.mark.parametrize(
    ("leaf", "said"),
    [
        (3, r"no array:   up/kernel is 3, where the model has \(4, 3\); give an array"),
        ("weights", r"no array:   up/kernel is 'weights', where"),
        (None, r"no array:   up/kernel is None, where"),
        ([1.0, 2.0], r"no array:   up/kernel is a list, where"),
        (np.full((4, 3), "a"), "mistyped:   up/kernel is of <U1, where the model has float32"),
        (jnp.ones((4, 3), int), "mistyped:   up/kernel is of int32, where the model has float32"),
        (
            {"a": X, "b": X},
            r"misplaced:  up/kernel is a dict of a, b, where the model has \(4, 3\)",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_leaf_that_is_no_array_of_floats_is_named(leaf: Any, said: str) -> None:
    given = params(MLP(hidden=3))
    given["up"]["kernel"] = leaf
    with pytest.raises(ValueError, match=rf"of this MLP\n  {said}.*$"):
        check_parameters(MLP(hidden=3), given, X)


@pytest.mark.parametrize(
    ("parent", "said"), [(X, r"f32\[1,2,4\]"), (None, "None"), ("up", "'up'"), ([X], "a list")]
)
def test_what_stands_in_the_place_of_a_dict_is_named(parent: Any, said: str) -> None:
    given = {**params(MLP(hidden=3)), "up": parent}
    match = rf"of this MLP\n  misplaced:  up is {said}, where the model has a dict of bias, kernel$"
    with pytest.raises(ValueError, match=match):
        check_parameters(MLP(hidden=3), given, X)


def test_half_precision_and_shapes_alone_pass() -> None:
    own = params(MLP(hidden=3))
    check_parameters(MLP(hidden=3), jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), own), X)
    check_parameters(MLP(hidden=3), jax.eval_shape(lambda: own), X)


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [
        (
            lambda block, own: (block, None, X),
            r'None\n  fix: .* init returned: variables\["params"\]',
        ),
        (lambda block, own: (block, X, X), r'f32\[1,2,4\]\n  fix: .*variables\["params"\]'),
        (
            lambda block, own: (block, X, own),
            r"swapped: check_parameters\(model, params, \*inputs\)",
        ),
        (
            lambda block, own: (own, block, X),
            r"the model comes first: check_parameters\(model, \.\.\.",
        ),
        (lambda block, own: (MLP, own, X), r"MLP is the class; pass a block"),
        (
            lambda block, own: (block, {"params": own, "cache": {}}, X),
            r'collections cache, params\n  fix: .*pass one collection, variables\["params"\]',
        ),
    ],
    ids=["none", "array", "inputs", "model", "class", "variables"],
)
def test_arguments_in_the_wrong_place_are_told_theirs(arguments: Any, fix: str) -> None:
    block = MLP(hidden=3)
    with pytest.raises(TypeError, match=rf"^check_parameters: [\s\S]*{fix}"):
        check_parameters(*arguments(block, params(block)))


@pytest.mark.parametrize(("scan", "fix"), [(True, "stack_layers"), (False, "unstack_layers")])
def test_the_other_layout_of_a_stack_names_its_conversion(scan: bool, fix: str) -> None:
    with pytest.raises(ValueError, match=rf"fix: .*: {fix}\("):
        check_parameters(stack(scan=scan), params(stack(scan=not scan)), X)


class Counted(Block):
    """Counts how often it is called; its parameter is as wide as its input."""

    calls: Callable[[], None]
    number: int = 1

    @nn.compact
    def __call__(self, x: Any) -> Any:
        self.calls()
        return x + self.param("bias", nn.initializers.zeros, x.shape[-1:])[None, None]


def test_equal_models_are_traced_once_for_each_shape_of_input() -> None:
    calls = Mock()
    for _ in range(2):
        shapes = parameter_shapes(Counted(calls=calls), X)
        assert shapes["bias"].shape == (4,)
        shapes.clear()  # the caller's own
        check_parameters(Counted(calls=calls), {"bias": jnp.ones(4)}, X)
    assert calls.call_count == 1
    assert parameter_shapes(Counted(calls=calls), X[..., :2])["bias"].shape == (2,)
    parameter_shapes(Counted(calls=calls, number=2), X)
    assert calls.call_count == 3


def test_parameters_of_inputs_and_fields_without_a_hash_are_traced_each_time() -> None:
    calls = Mock(__hash__=None)
    for width in (4, 2):
        shapes = parameter_shapes(Counted(calls=calls), X[..., :width])
        assert shapes["bias"].shape == (width,)
    assert calls.call_count == 2
