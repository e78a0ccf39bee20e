"""Embeddings: from token ids, images and sound to vectors."""

import itertools

import jax
import numpy as np
from laws.case import EMBED, VOCAB, Case, tokens, vectors
from laws.families.mlp import gelu
from laws.references import Params, linear, reference

from blocks import (
    ConvolutionStem,
    FactorizedEmbedding,
    GridPositions,
    LayerNorm,
    Linear,
    PatchEmbedding,
    SinusoidalPositions,
    TokenEmbedding,
    TokenTypes,
)
from blocks import gelu as gelu_of_blocks
from blocks.embeddings import BigramHash, Convolution, SoundEmbedding, VectorEmbedding
from blocks.norms import GroupNorm
from blocks.positions import ConvolutionalPositions, SinusoidalGrid


def images(key: jax.Array, batch: int, seq: int) -> tuple[jax.Array, ...]:
    """Of 2 x 2 patches of 2 x 2 pixels: with two extra tokens a result of 6 tokens."""
    return (jax.random.normal(key, (batch, 4, 4, 3)),)


def signal(key: jax.Array, batch: int, seq: int) -> tuple[jax.Array, ...]:
    """Twice as many steps as tokens come out."""
    return (jax.random.normal(key, (batch, 2 * seq, 3)),)


def samples(key: jax.Array, batch: int, seq: int) -> tuple[jax.Array, ...]:
    """One step more than twice as many as tokens come out of filters of three by two."""
    return (jax.random.normal(key, (batch, 2 * seq + 1, 3)),)


CASES = [
    Case(
        "embedding",
        TokenEmbedding(
            vocab_size=VOCAB, features=EMBED, position=SinusoidalPositions(), dropout_rate=0.3
        ),
        tokens,
        VOCAB * EMBED,
        argument="tokens",
    ),
    Case(
        "embedding_added",
        TokenEmbedding(
            vocab_size=VOCAB,
            features=EMBED,
            added=(
                TokenTypes(num_types=2, features=EMBED),
                BigramHash(num_buckets=5, features=EMBED),
            ),
            embedding_scale=2.0,
            embedding_norm=LayerNorm(),
        ),
        tokens,
        (VOCAB + 2 + 5 + 2) * EMBED,
        argument="tokens",
        heavy=True,
    ),
    Case(
        "embedding_factorized",
        FactorizedEmbedding(
            embed=TokenEmbedding(
                vocab_size=VOCAB,
                features=3,
                added=(TokenTypes(num_types=2, features=3),),
                embedding_norm=LayerNorm(),
                dropout_rate=0.3,
            ),
            features=EMBED,
        ),
        tokens,
        (VOCAB + 2 + 2) * 3 + (3 + 1) * EMBED,
        argument="tokens",
    ),
    Case(
        "embedding_factorized_positions",
        FactorizedEmbedding(
            embed=TokenEmbedding(vocab_size=VOCAB, features=3),
            features=EMBED,
            use_bias=False,
            position=SinusoidalPositions(),
        ),
        tokens,
        VOCAB * 3 + 3 * EMBED,
        argument="tokens",
        heavy=True,
    ),
    Case(
        "embedding_vectors",
        VectorEmbedding(
            position=SinusoidalPositions(),
            embedding_scale=2.0,
            embedding_norm=LayerNorm(),
            dropout_rate=0.3,
        ),
        vectors,
        2 * EMBED,
    ),
    Case(
        "patches",
        PatchEmbedding(
            size=2,
            features=EMBED,
            position=GridPositions(rows=2, columns=2),
            extra_tokens=2,
            dropout_rate=0.3,
        ),
        images,
        (4 * 3 + 1 + 4 + 2) * EMBED,
        argument="images",
    ),
    Case(
        "patches_waves",
        PatchEmbedding(size=2, features=EMBED, position=SinusoidalGrid(), extra_tokens=2),
        images,
        (4 * 3 + 1 + 2) * EMBED,
        argument="images",
        heavy=True,
    ),
    Case(
        "patches_normed",
        PatchEmbedding(
            size=2,
            features=EMBED,
            extra_tokens=2,
            token_positions=1,
            embedding_norm=LayerNorm(),
            use_bias=False,
        ),
        images,
        (4 * 3 + 2 + 1 + 2) * EMBED,
        argument="images",
        heavy=True,
    ),
    Case(
        "convolution",
        ConvolutionStem(features=EMBED, position=SinusoidalPositions()),
        signal,
        3 * 3 * EMBED + EMBED + 3 * EMBED**2 + EMBED,
    ),
    Case(
        "convolution_step",
        Convolution(features=EMBED, width=3, stride=2, norm=LayerNorm(), activation=gelu_of_blocks),
        samples,
        3 * 3 * EMBED + EMBED + 2 * EMBED,
        shared=False,
    ),
    Case(
        "sound",
        SoundEmbedding(
            steps=(
                Convolution(features=4, width=3, stride=2, use_bias=False),
                GroupNorm(num_groups=4),
                Linear(features=(EMBED,)),
            ),
            position=ConvolutionalPositions(width=3, num_groups=2),
            embedding_norm=LayerNorm(),
            dropout_rate=0.3,
        ),
        samples,
        (3 * 3 * 4) + 2 * 4 + 5 * EMBED + (3 * 4 * EMBED + 3 + EMBED) + 2 * EMBED,
        heavy=True,
    ),
    Case(
        "convolutional_positions",
        ConvolutionalPositions(width=4, num_groups=2),
        vectors,
        4 * 4 * EMBED + 4 + EMBED,
    ),
]


@reference.register
def _(block: TokenEmbedding, params: Params, tokens: np.ndarray) -> np.ndarray:
    x = block.embedding_scale * np.stack([params["embedding"][token] for token in tokens])
    for added in block.added:
        if isinstance(added, BigramHash):
            x = x + pairs(params["bigram_hash"]["embedding"], tokens)
        else:
            x = x + params["token_types"]["embedding"][0]
    if block.position is not None:
        x = reference(block.position, params.get("position", {}), x)
    return (
        x
        if block.embedding_norm is None
        else reference(block.embedding_norm, params["embedding_norm"], x)
    )


@reference.register
def _(block: VectorEmbedding, params: Params, x: np.ndarray) -> np.ndarray:
    y = reference(block.position, {}, block.embedding_scale * x)
    return reference(block.embedding_norm, params["embedding_norm"], y)


def pairs(table: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    rows = [0]
    for before, token in itertools.pairwise(map(int, tokens)):
        rows.append(1 + ((token * 36313) ^ (before * 27191)) % (len(table) - 1))
    return table[rows]


@reference.register
def _(block: FactorizedEmbedding, params: Params, tokens: np.ndarray) -> np.ndarray:
    x = linear(params["projection"], reference(block.embed, params["embed"], tokens))
    return x if block.position is None else reference(block.position, {}, x)


@reference.register
def _(block: PatchEmbedding, params: Params, image: np.ndarray) -> np.ndarray:
    rows, columns = image.shape[0] // 2, image.shape[1] // 2
    tokens = list(params["tokens"])
    for index in range(block.token_positions):
        tokens[index] = tokens[index] + params["token_positions"][index]
    for r, c in np.ndindex(rows, columns):
        pixels = image[2 * r : 2 * r + 2, 2 * c : 2 * c + 2].reshape(-1)
        vector = linear(params["patches"], pixels)
        if isinstance(block.position, GridPositions):
            vector = vector + params["position"]["embedding"][r, c]
        elif block.position is not None:
            half = EMBED // 2
            waves = reference(SinusoidalPositions(), {}, np.zeros((max(rows, columns), half)))
            vector = vector + np.concatenate([waves[r], waves[c]])
        tokens.append(vector)
    if block.embedding_norm is None:
        return np.stack(tokens)
    return reference(block.embedding_norm, params["embedding_norm"], np.stack(tokens))


@reference.register
def _(block: ConvolutionStem, params: Params, x: np.ndarray) -> np.ndarray:
    for name, stride in (("first", 1), ("second", 2)):
        padded = np.pad(x, ((1, 1), (0, 0)))
        kernel, bias = params[name]["kernel"], params[name]["bias"]
        steps = range(0, len(x), stride)
        x = gelu(
            np.stack([np.einsum("kc,kcf->f", padded[t : t + 3], kernel) for t in steps]) + bias
        )
    return reference(block.position, {}, x)


@reference.register
def _(block: Convolution, params: Params, x: np.ndarray) -> np.ndarray:
    starts = range(0, len(x) - block.width + 1, block.stride)
    steps = [np.einsum("kc,kcf->f", x[t : t + block.width], params["kernel"]) for t in starts]
    y = np.stack(steps) + params.get("bias", 0.0)
    y = y if block.norm is None else reference(block.norm, params["norm"], y)
    return y if block.activation is None else gelu(y)


@reference.register
def _(block: ConvolutionalPositions, params: Params, x: np.ndarray) -> np.ndarray:
    kernel, half = params["kernel"], block.width // 2
    lengths = np.sqrt((kernel**2).sum(axis=(1, 2), keepdims=True))
    kernel = params["scale"][:, None, None] * kernel / lengths
    inputs, outputs = kernel.shape[1], kernel.shape[2] // block.num_groups
    padded = np.pad(x, ((half, block.width), (0, 0)))
    around = np.zeros_like(x)
    for t, group in np.ndindex(len(x), block.num_groups):
        read = padded[t : t + block.width, group * inputs : (group + 1) * inputs]
        to = slice(group * outputs, (group + 1) * outputs)
        around[t, to] = np.einsum("kc,kcf->f", read, kernel[:, :, to])
    return x + gelu(around + params["bias"])


@reference.register
def _(block: SoundEmbedding, params: Params, x: np.ndarray) -> np.ndarray:
    for index, step in enumerate(block.steps):
        x = reference(step, params[f"step_{index}"], x)
    x = reference(block.position, params["position"], x)
    return reference(block.embedding_norm, params["embedding_norm"], x)
