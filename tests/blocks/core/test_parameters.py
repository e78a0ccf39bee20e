"""`check_parameters`: what does not belong to a model is named, on both sides."""

from typing import Any

import jax
import jax.numpy as jnp
import pytest

from blocks import MLP, Stack
from blocks.core.parameters import check_parameters

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


@pytest.mark.parametrize(("scan", "fix"), [(True, "stack_layers"), (False, "unstack_layers")])
def test_the_other_layout_of_a_stack_names_its_conversion(scan: bool, fix: str) -> None:
    with pytest.raises(ValueError, match=rf"fix: .*: {fix}\("):
        check_parameters(stack(scan=scan), params(stack(scan=not scan)), X)
