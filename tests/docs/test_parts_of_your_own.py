"""Every snippet of the page "Parts of your own" does what the page says: it is taken from there.

Each part is put into a small model and tried in every kernel and cache that its kind works with,
under jit, in a scanned and in a recomputed stack, in bfloat16, and in calls with a cache.
"""

import ast
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest
from drawn_by_numpy import drawn_variables

import blocks
from _build.fences import read
from _build.pages import ROOT
from blocks import (
    MLP,
    Causal,
    CausalLM,
    ChunkedAttention,
    Context,
    GatedMLP,
    KeyValueCache,
    LMHead,
    MixtureOfExperts,
    MultiHeadAttention,
    Prefix,
    RingCache,
    RMSNorm,
    RoPE,
    SlidingWindow,
    Stack,
    TokenEmbedding,
    TransformerBlock,
    dot_product_attention,
    override,
)
from blocks.layers import stack_layers

PAGE = ROOT / "docs/learn/parts_of_your_own.md"
FENCES = [item.code for item in read(PAGE, ROOT) if item.language == "python"]
LENGTH, WINDOW, VOCAB = 10, 4, 11
WINDOWED = Causal() & SlidingWindow(WINDOW)
CHUNKED = ChunkedAttention(query_chunk=4, key_chunk=4)
BOTH = ("all", "ring")
CACHES = {"all": KeyValueCache(), "ring": RingCache()}


def defined(code: str) -> list[str]:
    kinds = (ast.ClassDef, ast.FunctionDef)
    return [node.name for node in ast.parse(code).body if isinstance(node, kinds)]


SNIPPETS = {name: code for code in FENCES for name in defined(code)}


@functools.cache
def written() -> dict[str, Any]:
    """What the page's snippets define."""
    space: dict[str, Any] = {"__name__": "parts_of_your_own"}
    for code in [FENCES[0], *SNIPPETS.values()]:
        exec(compile(code, str(PAGE), "exec"), space)
    return space


class Tried(NamedTuple):
    """A model with a part in it.

    Attributes:
        model: makes it.
        attends: the part works in attention, so that kernels and caches matter to it.
        floats: the model's input is an array of floats.
        caches: those that fit, by name; `own` is the one of the page.
    """

    model: Callable[[Any], CausalLM]
    attends: bool = False
    floats: bool = False
    caches: tuple[str, ...] = ("all",)


def lm(attention: Any = None, head: Any = None, embed: Any = None, **layer: Any) -> CausalLM:
    """A small model; `layer` are fields of its `TransformerBlock`."""
    layer = {"mlp": MLP(hidden=16), "norm": RMSNorm(), **layer}
    block = TransformerBlock(attention=attention or attend(), **layer)
    return CausalLM(
        embed=embed or TokenEmbedding(vocab_size=VOCAB, features=16),
        stack=Stack(block=block, depth=2),
        norm=RMSNorm(),
        head=head or LMHead(vocab_size=VOCAB),
    )


def attend(mask: Any = WINDOWED, **fields: Any) -> MultiHeadAttention:
    fields = {"position": RoPE(), **fields}
    return MultiHeadAttention(num_heads=4, num_kv_heads=2, mask=mask, **fields)


def mixture(router: Any) -> MixtureOfExperts:
    return MixtureOfExperts(router=router, expert=GatedMLP(hidden=8))


def framed(cache: Any) -> MultiHeadAttention:
    return attend(Causal() & (Prefix(2) | SlidingWindow(WINDOW)), cache=cache)


PARTS = {
    "Recency": Tried(lambda new: lm(attend(scores=(new(rate=0.3),))), attends=True, caches=BOTH),
    "Temperature": Tried(lambda new: lm(attend(scores=(new(),))), attends=True, caches=BOTH),
    "Every": Tried(lambda new: lm(attend(WINDOWED & new(step=2))), attends=True, caches=BOTH),
    "Cosine": Tried(lambda new: lm(attend(qk=(new(),), scale=1.0)), attends=True, caches=BOTH),
    "LearnedRotary": Tried(lambda new: lm(attend(position=new())), attends=True, caches=BOTH),
    "GatedValues": Tried(lambda new: lm(attend(values=(new(),))), attends=True, caches=BOTH),
    "HeadGate": Tried(lambda new: lm(attend(gate=new())), attends=True, caches=BOTH),
    "row_by_row": Tried(lambda new: lm(attend(implementation=new))),
    "FirstAndLast": Tried(
        lambda new: lm(framed(new(first=2, last=WINDOW))), attends=True, caches=("own",)
    ),
    "Gain": Tried(lambda new: lm(residual=new())),
    "MeanNorm": Tried(lambda new: lm(norm=new())),
    "LearnedSwish": Tried(lambda new: lm(mlp=MLP(hidden=16, activation=new()))),
    "NoisyRouter": Tried(lambda new: lm(mlp=mixture(new(num_experts=4, top_k=2)))),
    "Signal": Tried(lambda new: lm(embed=new(features=16)), floats=True),
    "DeepHead": Tried(lambda new: lm(head=new(vocab_size=VOCAB))),
}
ATTENDING = [name for name, tried in PARTS.items() if tried.attends]
PARAMETERS = sorted(set(PARTS) - {"Recency", "Every", "row_by_row", "FirstAndLast"})
further = pytest.mark.further


def share(names: Iterable[str], *standing: str) -> list[Any]:
    """Parameters of a test, of which some stand for the others."""
    return [pytest.param(name, marks=[] if name in standing else further) for name in names]


@pytest.fixture(autouse=True)
def defaults() -> Iterator[None]:
    """A reader has JAX as it comes."""
    with jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture(params=PARTS)
def name(request) -> str:
    return request.param


def model_of(name: str) -> CausalLM:
    return PARTS[name].model(written()[name])


def inputs_of(name: str) -> jax.Array:
    if PARTS[name].floats:
        return jax.random.normal(jax.random.key(0), (2, LENGTH, 3))
    return jax.random.randint(jax.random.key(0), (2, LENGTH), 0, VOCAB)


@functools.cache
def params_of(name: str) -> Any:
    """Parameters that are all off their start, so that none is without effect."""
    return drawn_variables(model_of(name), inputs_of(name))["params"]


def logits(model: nn.Module, params: Any, x: jax.Array) -> jax.Array:
    return jax.jit(lambda params, x: model.apply({"params": params}, x))(params, x)


def computed(model: nn.Module, params: Any, x: jax.Array) -> tuple[jax.Array, Any]:
    """Logits, and gradients of the sum of their squares, in one program."""

    def loss(params: Any) -> tuple[jax.Array, jax.Array]:
        found = model.apply({"params": params}, x)
        return jnp.square(found).sum(), found

    gradients, found = jax.jit(jax.grad(loss, has_aux=True))(params)
    return found, gradients


@functools.cache
def whole(name: str) -> tuple[jax.Array, Any]:
    return computed(model_of(name), params_of(name), inputs_of(name))


def plain(name: str) -> jax.Array:
    return whole(name)[0]


def assert_computes_the_same(model: nn.Module, name: str) -> None:
    """Logits and gradients of a model with a part are those of the plain model with it."""
    found, gradients = computed(model, params_of(name), inputs_of(name))
    chex.assert_trees_all_close(found, plain(name), atol=2e-5)
    chex.assert_trees_all_close(gradients, whole(name)[1], rtol=1e-4, atol=1e-4)


def scanned(params: Any) -> Any:
    """Parameters of a stack that runs as a scan."""
    return {**params, "stack": stack_layers(params["stack"])}


def test_every_snippet_of_the_page_is_tried():
    assert set(SNIPPETS) == set(PARTS)


@pytest.mark.parametrize("name", SNIPPETS)
def test_a_part_is_as_short_as_the_page_promises(name):
    lines = [line for line in SNIPPETS[name].splitlines() if line.strip()]
    assert len(lines) <= (20 if name in ("row_by_row", "FirstAndLast") else 10)


def test_a_part_is_a_value():
    for name in set(PARTS) - {"row_by_row"}:
        assert model_of(name) == model_of(name)
        assert hash(model_of(name)) == hash(model_of(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_of_a_part_learns(name):
    for path, gradient in jax.tree_util.tree_leaves_with_path(whole(name)[1]):
        assert float(jnp.abs(gradient).max()) > 0.0, jax.tree_util.keystr(path)


@pytest.mark.parametrize("name", ["Recency", "Every"])
def test_a_part_without_parameters_changes_the_result(name):
    without = logits(lm(), params_of(name), inputs_of(name))
    assert float(jnp.abs(plain(name) - without).max()) > 1e-3


@pytest.mark.slow
@pytest.mark.further  # as the page itself calls them
def test_eager_equals_jit(name):
    eager = model_of(name).apply({"params": params_of(name)}, inputs_of(name))
    chex.assert_trees_all_close(eager, plain(name), atol=2e-5)


@pytest.mark.slow
def test_scan_equals_loop(name):
    found = logits(override(model_of(name), scan=True), scanned(params_of(name)), inputs_of(name))
    chex.assert_trees_all_close(found, plain(name), atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", share(PARTS, "Temperature", "HeadGate", "NoisyRouter"))
def test_remat_equals_plain(name):
    assert_computes_the_same(override(model_of(name), remat=True), name)


@pytest.mark.slow
@pytest.mark.parametrize("part", ATTENDING)
def test_chunks_give_the_same(part):
    assert_computes_the_same(override(model_of(part), implementation=CHUNKED), part)


@pytest.mark.slow
@pytest.mark.parametrize("part", share(ATTENDING, "Temperature"))
def test_the_kernel_of_the_page_gives_the_same(part):
    kernel = written()["row_by_row"]
    assert_computes_the_same(override(model_of(part), implementation=kernel), part)


def test_the_kernel_of_the_page_gives_what_the_reference_gives():
    name = "row_by_row"
    reference = override(model_of(name), implementation=dot_product_attention)
    assert_computes_the_same(reference, name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "cache"),
    [
        pytest.param(name, cache, marks=further if (cache, "ring") == tried.caches else [])
        for name, tried in PARTS.items()
        for cache in tried.caches  # a ring forgets what a window hides, and stands for the other
    ],
)
def test_cached_equals_uncached_in_a_scanned_stack(name, cache):
    model = override(model_of(name), scan=True)
    if cache != "own":
        model = override(model, cache=CACHES[cache])
    x, params, context = inputs_of(name), scanned(params_of(name)), Context(cache_size=LENGTH)

    @jax.jit
    def call(state, chunk):
        return model.apply({"params": params, **state}, chunk, context, mutable=["cache"])

    state, found = {}, []
    for start, end in [(0, 7), (7, 8), (8, 9), (9, LENGTH)]:
        result, state = call(state, x[:, start:end])
        found.append(result)
    chex.assert_trees_all_close(jnp.concatenate(found, axis=1), plain(name), atol=5e-5)


@pytest.mark.slow
def test_bfloat16_stays_close_and_stays_bfloat16(name):
    half = override(model_of(name), dtype=jnp.bfloat16)
    x, params = inputs_of(name), params_of(name)
    found, states = jax.jit(
        lambda params: (
            half.apply({"params": params}, x),
            blocks.hidden_states(half, {"params": params}, x),
        )
    )(params)
    assert jnp.isfinite(found).all()
    scale = float(jnp.abs(plain(name)).max())
    assert float(jnp.abs(found.astype(jnp.float32) - plain(name)).mean()) < 0.03 * scale
    assert states.dtype == jnp.bfloat16


@pytest.mark.slow
@pytest.mark.parametrize("part", ATTENDING)
def test_a_kernel_is_given_bfloat16_by_a_bfloat16_model(part):
    seen = []

    def spy(query, key, value, query_at, key_at, **options):
        seen.append({query.dtype, key.dtype, value.dtype})
        return dot_product_attention(query, key, value, query_at, key_at, **options)

    half = override(override(model_of(part), dtype=jnp.bfloat16), implementation=spy)
    jax.eval_shape(half.apply, {"params": params_of(part)}, inputs_of(part))
    assert seen == [{jnp.dtype(jnp.bfloat16)}] * 2


def test_the_noise_of_the_router_is_there_in_training_alone():
    model = override(model_of("NoisyRouter"), scan=True)
    params, x = scanned(params_of("NoisyRouter")), inputs_of("NoisyRouter")

    @functools.partial(jax.jit, static_argnums=0)
    def apply(deterministic, key=None):
        rngs = None if key is None else {"router": key}
        return model.apply({"params": params}, x, None, deterministic, rngs=rngs)

    noisy = [apply(False, jax.random.key(i)) for i in range(2)]
    assert float(jnp.abs(noisy[0] - noisy[1]).max()) > 1e-3
    chex.assert_trees_all_close(apply(True, jax.random.key(0)), apply(True))


def test_a_cache_that_forgets_what_the_mask_shows_is_refused():
    cache = written()["FirstAndLast"](first=2, last=4)
    model = lm(attend(Causal(), cache=cache))
    with pytest.raises(ValueError, match="FirstAndLast"):
        jax.eval_shape(
            lambda: model.init(jax.random.key(0), inputs_of("Every"), Context(cache_size=LENGTH))
        )


def test_a_kernel_that_cannot_drop_weights_is_refused_for_dropout():
    with pytest.raises(ValueError, match=r"row_by_row.* does not support dropout"):
        attend(implementation=written()["row_by_row"], dropout_rate=0.1)
