"""Checks of values: at once in eager calls, under `jit` only inside `checked`."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import (
    Causal,
    Context,
    MultiHeadAttention,
    Stack,
    TokenEmbedding,
    checked,
)
from blocks.core.checks import check_values


def halve(x: jax.Array) -> jax.Array:
    check_values((x % 2 == 0).all(), "x={x} is odd; use {better}.", x=x, better=x + 1)
    return x // 2


ODD, EVEN = jnp.int32(3), jnp.int32(4)


def test_an_eager_call_checks_at_once() -> None:
    with pytest.raises(ValueError, match=r"^x=3 is odd; use 4\.$"):
        halve(ODD)
    assert int(halve(EVEN)) == 2


def test_jit_leaves_no_check_behind() -> None:
    assert int(jax.jit(halve)(ODD)) == 1
    assert "check" not in str(jax.make_jaxpr(halve)(ODD))


def test_checked_checks_under_jit() -> None:
    with pytest.raises(ValueError, match=r"x=3 is odd; use 4\."):
        checked(halve)(ODD)
    assert int(checked(halve)(EVEN)) == 2


def test_jit_and_checked_do_not_share_a_trace() -> None:
    def first_jitted(x: jax.Array) -> jax.Array:
        return halve(x)

    assert int(jax.jit(first_jitted)(ODD)) == 1
    with pytest.raises(ValueError, match="x=3 is odd"):
        checked(first_jitted)(ODD)

    def first_checked(x: jax.Array) -> jax.Array:
        return halve(x)

    assert int(checked(first_checked)(EVEN)) == 2
    assert int(jax.jit(first_checked)(ODD)) == 1


def test_the_switch_is_off_again_after_an_error() -> None:
    debug = checked(halve)
    for _ in range(2):
        with pytest.raises(ValueError, match="x=3 is odd"):
            debug(ODD)
    assert int(debug(EVEN)) == 2
    assert int(jax.jit(halve)(ODD)) == 1


def test_the_error_has_no_second_error_behind_it() -> None:
    with pytest.raises(ValueError, match="x=3") as error:
        checked(halve)(ODD)
    assert error.value.__cause__ is None
    assert error.value.__context__ is None


def test_other_errors_pass_through() -> None:
    def fail(x: jax.Array) -> jax.Array:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        checked(fail)(EVEN)


def test_keyword_arguments_pass_through() -> None:
    got = checked(lambda x, *, y: (x + y, y))(EVEN, y=jnp.int32(1))
    assert [int(value) for value in got] == [5, 1]


@pytest.mark.parametrize("remat", [False, True], ids=["plain", "remat"])
@pytest.mark.parametrize("scan", [False, True], ids=["loop", "scan"])
def test_a_check_deep_in_a_model_is_heard(scan: bool, remat: bool) -> None:
    attention = MultiHeadAttention(num_heads=2, mask=Causal())
    stack = Stack(block=attention, depth=2, scan=scan, remat=remat)
    x = jnp.ones((1, 2, 4))
    params = jax.jit(stack.init)(jax.random.key(0), x)["params"]

    def call(cache: dict[str, Any], x: jax.Array) -> tuple[jax.Array, dict[str, Any]]:
        variables = {"params": params, **cache}
        return stack.apply(variables, x, Context(cache_size=2), mutable="cache")

    debug = checked(call)
    _, cache = debug({}, x)
    with pytest.raises(ValueError, match=r"the cache is full: 1 more tokens after 2 .* 2 slots"):
        debug(cache, x[:, :1])
    assert np.isnan(jax.jit(call)(cache, x[:, :1])[0]).all()


def test_a_token_id_outside_the_vocabulary_is_heard() -> None:
    embed = TokenEmbedding(vocab_size=5, features=4)
    variables = embed.init(jax.random.key(0), jnp.array([[0]]))
    with pytest.raises(ValueError, match=r"token ids from 2 to 9 do not fit vocab_size=5"):
        checked(embed.apply)(variables, jnp.array([[2, 9]]))
