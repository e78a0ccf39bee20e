"""Parts of attention written outside the library: they work everywhere, or are told why not."""

import re
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest
from drawn_by_numpy import drawn_variables, jitted, normal

from blocks import (
    MLP,
    Auto,
    Causal,
    ChunkedAttention,
    Context,
    LatentAttention,
    LearnedSinks,
    Linear,
    MultiHeadAttention,
    QKNorm,
    RMSNorm,
    Stack,
    TransformerBlock,
    dot_product_attention,
)
from blocks.attention import (
    AttentionInputs,
    HeadTransform,
    QKTransform,
    ScoreModification,
    Sinks,
    ValueTransform,
    distance,
)
from blocks.attention.kernels import KernelCall, Support
from blocks.attention.masks import Segments
from blocks.context import Coordinates
from blocks.layers import stack_layers
from blocks.positions import rotate

X = normal(0, (2, 6, 8))
SMALL = ChunkedAttention(query_chunk=4, key_chunk=2)


class Recency(ScoreModification):
    rate: float = 0.1

    def modify(self, scores: Any, parameters: Any, query_at: Any, key_at: Any) -> jax.Array:
        return scores - self.rate * distance(query_at, key_at)


class HeadBias(ScoreModification):
    @nn.compact
    def parameters(self, num_heads: int, inputs: AttentionInputs) -> jax.Array:
        slope = self.param("slope", nn.initializers.ones, (num_heads,))
        told = Linear(features=(num_heads,), name="told")(inputs.x.mean(axis=1))
        return slope[None] * told

    def modify(self, scores: Any, parameters: Any, query_at: Any, key_at: Any) -> jax.Array:
        return scores + parameters[:, :, None, None] * distance(query_at, key_at)


class Shifted(ValueTransform):
    @nn.compact
    def __call__(self, value: jax.Array, inputs: AttentionInputs) -> jax.Array:
        return value + Linear(features=value.shape[2:], name="shift")(inputs.x)


class HeadGate(HeadTransform):
    @nn.compact
    def __call__(self, heads: jax.Array, inputs: AttentionInputs) -> jax.Array:
        return heads * nn.sigmoid(Linear(features=(1,), name="gate")(inputs.x))[:, :, None]


class Sharpened(QKTransform):
    @nn.compact
    def __call__(self, query: Any, key: Any, inputs: AttentionInputs) -> tuple[Any, Any]:
        return query * self.param("by", nn.initializers.constant(1.5), ()), key


class LearnedBase(QKTransform):
    @nn.compact
    def __call__(self, query: Any, key: Any, inputs: AttentionInputs) -> tuple[Any, Any]:
        pairs = query.shape[-1] // 2
        base = jnp.exp(self.param("log_base", nn.initializers.constant(9.2), ()))
        frequencies = base ** -(jnp.arange(pairs) / pairs)
        return (
            rotate(query, inputs.query_at.positions, frequencies),
            rotate(key, inputs.key_at.positions, frequencies),
        )


class HalfSinks(Sinks):
    def logits(self, num_heads: int, inputs: AttentionInputs) -> jax.Array:
        return jnp.full((num_heads,), 0.5)


PARTS: dict[str, Any] = {
    "qk": (Sharpened(),),
    "position": LearnedBase(),
    "values": (Shifted(),),
    "gate": HeadGate(),
    "scores": (HeadBias(), Recency(rate=0.2)),
    "sinks": HalfSinks(),
}


def attention(**fields: Any) -> MultiHeadAttention:
    return MultiHeadAttention(**{"num_heads": 2, "mask": Causal(), **fields})


def stack(scan: bool = False, remat: bool = False, **fields: Any) -> Stack:
    layer = TransformerBlock(
        attention=attention(**PARTS, **fields), mlp=MLP(hidden=8), norm=RMSNorm()
    )
    return Stack(block=layer, depth=2, scan=scan, remat=remat)


def test_parameters_are_named_by_kind_or_slot_in_any_order() -> None:
    def names(*scores: ScoreModification) -> set[str]:
        block = attention(**{**PARTS, "scores": scores})
        params = jax.eval_shape(block.init, jax.random.key(0), X)["params"]
        return {jax.tree_util.keystr(p, simple=True) for p, _ in jax.tree.leaves_with_path(params)}

    first = names(Recency(), HeadBias())
    assert first == names(HeadBias(), Recency())
    assert {name for name in first if "sharpened" in name or "position" in name} == {
        "sharpenedby",
        "positionlog_base",
    }


@pytest.mark.parametrize("scan", [False, True])
def test_every_kernel_differentiates_them_in_any_stack(scan: bool) -> None:
    plain = stack()
    variables = drawn_variables(plain, X, seed=1)

    def gradients(block: Stack, variables: Any) -> Any:
        return jax.jit(jax.grad(lambda v: jnp.square(block.apply(v, X)).sum()))(variables)

    want = gradients(plain, variables)
    if scan:
        want, variables = ({"params": stack_layers(v["params"])} for v in (want, variables))
    got = gradients(stack(scan=scan, remat=True, implementation=SMALL), variables)
    chex.assert_trees_all_close(got, want, rtol=1e-4, atol=1e-4)
    own = {
        jax.tree_util.keystr(path): leaf
        for path, leaf in jax.tree.leaves_with_path(got)
        if re.search("slope|told|shift|gate|by|log_base", str(path))
    }
    assert len(own) >= 8
    assert all(jnp.abs(leaf).max() > 1e-6 for leaf in own.values())


def test_a_cache_gives_what_no_cache_gives() -> None:
    # Parameters of a score modification may depend on the call; these do not.
    block = attention(**{**PARTS, "scores": (Recency(),)})
    variables = drawn_variables(block, X, seed=1)
    want = jitted(block, variables, X)
    outputs, context = [], Context(cache_size=6)
    for part in (X[:, :4], X[:, 4:5], X[:, 5:]):
        y, cache = jitted(block, variables, part, context, mutable=["cache"])
        variables = {**variables, **cache}
        outputs.append(y)
    chex.assert_trees_all_close(jnp.concatenate(outputs, axis=1), want, rtol=1e-5, atol=1e-5)


def test_a_learned_base_at_the_base_of_a_rotation_is_that_rotation() -> None:
    ones = jnp.ones((1, 3, 1, 4))
    at = Coordinates(jnp.arange(3)[None], jnp.arange(3)[None])
    inputs = AttentionInputs(X, Context(), True, at, at)
    base = {"params": {"log_base": jnp.log(100.0)}}
    got, _ = jitted(LearnedBase(), base, ones, ones, inputs)
    angles = jnp.arange(3.0)[:, None] * jnp.array([[1.0, 0.1]])
    want = jnp.concatenate(
        [jnp.cos(angles) - jnp.sin(angles), jnp.cos(angles) + jnp.sin(angles)], axis=-1
    )
    chex.assert_trees_all_close(got[0, :, 0], want, rtol=1e-5, atol=1e-6)


class Wide(QKTransform):
    def __call__(self, query: Any, key: Any, inputs: AttentionInputs) -> tuple[Any, Any]:
        return query.astype(jnp.float32), key.astype(jnp.float32)


class WideValue(ValueTransform):
    def __call__(self, value: Any, inputs: AttentionInputs) -> jax.Array:
        return value.astype(jnp.float32)


class WideHeads(HeadTransform):
    def __call__(self, heads: Any, inputs: AttentionInputs) -> jax.Array:
        return heads.astype(jnp.float32)


def test_a_part_in_float32_leaves_a_bfloat16_model_as_it_is() -> None:
    seen = []

    def recording(query: Any, key: Any, value: Any, *at: Any, **options: Any) -> jax.Array:
        seen.extend(x.dtype for x in (query, key, value))
        return dot_product_attention(query, key, value, *at, **options).astype(jnp.float32)

    block = attention(
        qk=(Wide(),),
        position=Wide(),
        values=(WideValue(),),
        gate=WideHeads(),
        implementation=recording,
        dtype=jnp.bfloat16,
    )
    y, _ = block.init_with_output(jax.random.key(0), X)
    assert set(seen) == {jnp.dtype(jnp.bfloat16)}
    assert y.dtype == jnp.bfloat16


class Centred(ScoreModification):
    def modify(self, scores: Any, parameters: Any, query_at: Any, key_at: Any) -> jax.Array:
        return scores - scores.mean(axis=-1, keepdims=True)


class Sized(ScoreModification):
    """Has a parameter for each query of the call."""

    @nn.compact
    def parameters(self, num_heads: int, inputs: AttentionInputs) -> jax.Array:
        return self.param("bias", nn.initializers.ones, (inputs.x.shape[1],))

    def modify(self, scores: Any, parameters: Any, query_at: Any, key_at: Any) -> jax.Array:
        return scores + parameters[None, None, :, None]


@pytest.mark.parametrize("block", [Centred(), Sized()], ids=repr)
def test_a_modification_that_reads_its_chunks_shape_is_refused(block: ScoreModification) -> None:
    with pytest.raises(ValueError, match=r"in chunks than of all at once.*go by the coordinates"):
        jax.eval_shape(attention(scores=(block,)).init, jax.random.key(0), X)


class Broken(ScoreModification):
    def modify(self, scores: Any, parameters: Any, query_at: Any, key_at: Any) -> jax.Array:
        return scores + jnp.ones(3)[None, None, None]


class BrokenValue(ValueTransform):
    def __call__(self, value: Any, inputs: AttentionInputs) -> jax.Array:
        return value + jnp.ones(3)[None, None, None]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"scores": (Broken(),)}, "Broken of MultiHeadAttention at `attention`"),
        ({"values": (BrokenValue(),)}, "BrokenValue at `attention.broken_value`"),
    ],
)
def test_a_mistake_inside_a_part_names_the_part(fields: dict[str, Any], name: str) -> None:
    layer = TransformerBlock(attention=attention(**fields), mlp=MLP(hidden=4))
    with pytest.raises((TypeError, ValueError)) as error:
        layer.init(jax.random.key(0), X)
    assert f"This happened in {name}." in getattr(error.value, "__notes__", [])


class Reshaped(ScoreModification):
    def modify(self, scores: Any, parameters: Any, query_at: Any, key_at: Any) -> jax.Array:
        return scores[:, :1]


class Whole(ScoreModification):
    def parameters(self, num_heads: int, inputs: AttentionInputs) -> jax.Array:
        return jnp.arange(num_heads)


class Cut(ValueTransform):
    def __call__(self, value: Any, inputs: AttentionInputs) -> jax.Array:
        return value[..., :2]


def one_head(query: Any, key: Any, value: Any, *at: Any, **options: Any) -> jax.Array:
    return value[:, :, :1]


@pytest.mark.parametrize(
    ("fields", "kind", "message"),
    [
        (
            {"scores": (Reshaped(),)},
            ValueError,
            r"Reshaped\(\) returned shape \(2, 1, 6, 6\) for \(2, 2, 6, 6\)",
        ),
        ({"scores": (Whole(),)}, TypeError, "Whole at `whole`: .*return floating point arrays"),
        (
            {"values": (Cut(),)},
            ValueError,
            r"Cut\(\) returned shape \(2, 6, 2, 2\) for \(2, 6, 2, 4",
        ),
        (
            {"implementation": one_head},
            ValueError,
            r"returned shape \(2, 6, 1, 4\); a kernel .* \(2, 6, 2, 4\) here",
        ),
    ],
)
def test_what_comes_back_is_checked(fields: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        jax.eval_shape(attention(**fields).init, jax.random.key(0), X)


class Returned(ScoreModification):
    what: Any = None

    def modify(self, scores: Any, parameters: Any, query_at: Any, key_at: Any) -> Any:
        return self.what(scores)


class Queries(QKTransform):
    def __call__(self, query: Any, key: Any, inputs: AttentionInputs) -> Any:
        return query


class Pair(ValueTransform):
    def __call__(self, value: Any, inputs: AttentionInputs) -> Any:
        return value, {"mine": value}


class Open(HeadTransform):
    def __call__(self, heads: Any, inputs: AttentionInputs) -> Any:
        return heads > 0


class Told(ScoreModification):
    def parameters(self, num_heads: int, inputs: AttentionInputs) -> Any:
        return "slopes"


class NoLogits(Sinks):
    def logits(self, num_heads: int, inputs: AttentionInputs) -> Any:
        return None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scores": (Returned(what=lambda s: s > 0),)}, r"returned bool\[2,2,6,6\]; .* floating"),
        ({"scores": (Returned(what=lambda s: None),)}, "returned None; return a floating"),
        ({"scores": (Returned(what=lambda s: (s, s)),)}, r"returned \(.*\); return a floating"),
        ({"scores": (Told(),)}, "`parameters` returned 'slopes'"),
        ({"qk": (Queries(),)}, r"Queries\(\) returned .*; return both, `query, key`"),
        ({"values": (Pair(),)}, r"Pair\(\) returned \(.*; return a floating point array"),
        ({"gate": Open()}, r"Open\(\) returned bool.*; return a floating point array"),
        ({"sinks": NoLogits()}, r"NoLogits\(\) returned None; .* one logit per head, \(2,\)"),
        ({"implementation": lambda *a, **k: (a[2], 1)}, "returned .*; return a floating"),
        ({"implementation": lambda *a, **k: None}, "returned None; return a floating point array"),
    ],
)
def test_what_is_no_floating_array_is_refused(fields: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        jax.eval_shape(attention(**fields).init, jax.random.key(0), X)


def test_a_scale_may_be_a_whole_number() -> None:
    whole, number = attention(scale=2), attention(scale=2.0)
    variables = drawn_variables(number, X)
    chex.assert_trees_all_equal(jitted(whole, variables, X), jitted(number, variables, X))


def no_mask(query: Any, key: Any, value: Any, query_at: Any, key_at: Any) -> jax.Array:
    return value


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        (jax.nn.relu, "implementation=relu cannot be called as an attention kernel"),
        (MLP(hidden=4), r"implementation=MLP\(hidden=4\) cannot be called as an attention"),
        (no_mask, r"no_mask cannot be called .*got an unexpected keyword argument 'mask'"),
    ],
)
def test_a_kernel_of_another_signature_is_refused_when_attention_is_made(
    kernel: Any, words: str
) -> None:
    with pytest.raises(TypeError, match=words):
        attention(implementation=kernel)
    with pytest.raises(TypeError, match=words):
        Auto(kernels=(kernel,))


def documents(query: Any, key: Any, value: Any, *at: Any, **options: Any) -> jax.Array:
    """A kernel that sees documents by itself, where there are any."""
    if at[1].segment_ids is not None:
        options["mask"] = options["mask"] & Segments()
    return dot_product_attention(query, key, value, *at, **options)


@pytest.mark.parametrize("segment_ids", [None, jnp.array([[0, 0, 0, 1, 1, 1]] * 2)])
def test_segments_in_a_kernel_of_ones_own_work_with_a_cache(segment_ids: Any) -> None:
    block = attention(implementation=documents)
    variables = drawn_variables(block, X)
    want = jitted(block, variables, X, Context(segment_ids=segment_ids))
    outputs = []
    for part in (slice(0, 4), slice(4, 6)):
        ids = None if segment_ids is None else segment_ids[:, part]
        context = Context(cache_size=6, segment_ids=ids)
        y, cache = jitted(block, variables, X[:, part], context, mutable=["cache"])
        variables = {**variables, **cache}
        outputs.append(y)
    chex.assert_trees_all_close(jnp.concatenate(outputs, axis=1), want, rtol=1e-5, atol=1e-5)


class Kernel:
    """A kernel of one's own that takes some calls only."""

    def __init__(self, **support: Any) -> None:
        self.support = Support(**support)

    def __call__(self, *arrays: Any, **options: Any) -> jax.Array:
        return dot_product_attention(*arrays, **options)


def test_auto_tries_kernels_of_ones_own_in_their_order() -> None:
    biases, anything = Kernel(modifications=(Recency,), sinks=False), Kernel()
    auto = Auto(kernels=(biases, anything))
    assert auto.choose(KernelCall(modifications=(Recency(),))).kernel is biases
    assert auto.choose(KernelCall(modifications=(HeadBias(),))).kernel is anything
    assert auto.choose(KernelCall(sinks=True)).kernel is anything
    assert Auto(kernels=(biases,)).choose(KernelCall(sinks=True)).kernel is dot_product_attention


def test_two_parts_of_one_kind_need_a_name() -> None:
    with pytest.raises(ValueError, match="holds two parts named `qk_norm`"):
        attention(qk=(QKNorm(), QKNorm()))
    block = attention(qk=(QKNorm(), QKNorm(name="second_norm")))
    params = jax.eval_shape(block.init, jax.random.key(0), X)["params"]
    assert {"qk_norm", "second_norm"} <= set(params)


def test_latent_attention_takes_scores_sinks_scale_and_gate() -> None:
    block = LatentAttention(
        num_heads=2,
        head_dim=4,
        rope_dim=2,
        kv_rank=4,
        mask=Causal(),
        scale=0.3,
        scores=(Recency(),),
        sinks=LearnedSinks(),
        gate=HeadGate(),
    )
    variables = drawn_variables(block, X)
    want = jitted(block, variables, X)
    context, outputs = Context(cache_size=6), []
    for part in (X[:, :4], X[:, 4:]):
        y, cache = jitted(block, variables, part, context, mutable=["cache"])
        variables = {**variables, **cache}
        outputs.append(y)
    chex.assert_trees_all_close(jnp.concatenate(outputs, axis=1), want, rtol=1e-5, atol=1e-5)
