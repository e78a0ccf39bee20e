"""A GPT from a text to a text: Karpathy's lecture and nanoGPT, told with blocks.

    python -m recipes.nanogpt                  trains on the manual inside every CPython
    python -m recipes.nanogpt --help           says what else there is

References:
    Karpathy, Let's build GPT: from scratch, in code, spelled out, 2023, and nanoGPT, 2022.
    Radford et al., Language Models are Unsupervised Multitask Learners, 2019 (GPT-2).
"""

# JAX takes seconds to import on a slow machine. It is imported where it is used, so that `--help`
# and mistakes on the command line are answered at once.
from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from recipes.errors import RecipeError

if TYPE_CHECKING:
    import jax

    from blocks import CausalLM


@dataclass(frozen=True)
class GPTConfig:
    """The sizes and choices that make one GPT.

    Attributes:
        num_layers: Transformer blocks.
        num_heads: Heads of attention in each; they share the features evenly.
        features: Width of a token's vector.
        context: The most tokens that the model sees at once.
        vocab_size: Token ids; None, and training always, takes the tokenizer's number.
        dropout_rate: Share dropped of embeddings, attention weights and sublayer outputs.
        embedding_dropout: Drop of the embeddings too.
        activation: Between the projections of the MLP, which is four times as wide as the model.
        use_bias: Learn biases in projections and norms, and in the head where it is not tied.
        use_qkv_bias: Learn them in the projections to queries, keys and values too.
        tied_head: Score tokens with the table of embeddings instead of a matrix of the head's own.
        scaled_residual_init: Start projections back to the residual stream smaller with depth, so
            that the sum of all layers has the variance of one.
    """

    num_layers: int = 12
    num_heads: int = 12
    features: int = 768
    context: int = 1024
    vocab_size: int | None = None
    dropout_rate: float = 0.0
    embedding_dropout: bool = True
    activation: Literal["gelu", "relu"] = "gelu"
    use_bias: bool = False
    use_qkv_bias: bool = False
    tied_head: bool = True
    scaled_residual_init: bool = True

    def __post_init__(self) -> None:
        for name in ("num_layers", "num_heads", "features", "context", "vocab_size"):
            size = getattr(self, name)
            if size is not None and size < 1:
                raise RecipeError(f"{name}={size} must be at least 1.", f"Give {name} a size.")
        if self.features % self.num_heads:
            divisors = [str(n) for n in range(1, self.features + 1) if self.features % n == 0]
            raise RecipeError(
                f"num_heads={self.num_heads} must divide features={self.features}.",
                f"Use num_heads of {', '.join(divisors[:-1])} or {divisors[-1]}.",
            )
        if not 0.0 <= self.dropout_rate < 1.0:
            raise RecipeError(
                f"dropout_rate={self.dropout_rate} must be at least 0 and below 1.",
                "Use 0 for none, 0.1 or 0.2 against overfitting.",
            )


def build_gpt(config: GPTConfig) -> CausalLM:
    """The model as a value: parts in their places, without weights."""
    import jax

    from blocks import (
        MLP,
        Biases,
        Causal,
        CausalLM,
        LayerNorm,
        LearnedPositions,
        LMHead,
        MultiHeadAttention,
        Normal,
        Stack,
        TokenEmbedding,
        TransformerBlock,
        gelu,
    )

    if config.vocab_size is None:
        raise ValueError("vocab_size=None must be known to build; use the tokenizer's vocab_size.")
    qkv_bias, bias = config.use_qkv_bias, config.use_bias
    init = Normal(stddev=0.02)
    # Two sublayers a layer add to the residual stream.
    depth = 2 * config.num_layers if config.scaled_residual_init else 1
    residual_init = Normal(stddev=0.02 / math.sqrt(depth))

    return CausalLM(
        embed=TokenEmbedding(
            vocab_size=config.vocab_size,
            features=config.features,
            position=LearnedPositions(max_length=config.context, embedding_init=init),
            dropout_rate=config.dropout_rate if config.embedding_dropout else 0.0,
            embedding_init=init,
        ),
        stack=Stack(
            block=TransformerBlock(
                attention=MultiHeadAttention(
                    num_heads=config.num_heads,
                    mask=Causal(),
                    use_bias=Biases(query=qkv_bias, key=qkv_bias, value=qkv_bias, out=bias),
                    dropout_rate=config.dropout_rate,
                    kernel_init=init,
                    out_kernel_init=residual_init,
                ),
                mlp=MLP(
                    hidden=4 * config.features,
                    activation={"gelu": gelu, "relu": jax.nn.relu}[config.activation],
                    use_bias=bias,
                    kernel_init=init,
                    out_kernel_init=residual_init,
                ),
                norm=LayerNorm(use_bias=bias),
                dropout_rate=config.dropout_rate,
            ),
            depth=config.num_layers,
        ),
        norm=LayerNorm(use_bias=bias),
        head=LMHead(tied=True)
        if config.tied_head
        else LMHead(vocab_size=config.vocab_size, use_bias=bias, kernel_init=init),
    )


def next_token_loss(
    apply_fn: Any, params: Any, batch: dict[str, jax.Array], key: jax.Array | None
) -> tuple[jax.Array, dict[str, jax.Array]]:
    r"""The mean of $-\log p(\mathrm{token}_{t+1} \mid \mathrm{token}_{\le t})$, in nats.

    Args:
        apply_fn: The model's `apply`.
        params: Its parameters.
        batch: `inputs` and `targets`, `[batch, seq]`; `weights` of the targets where not all count.
        key: Of dropout; None for none.
    """
    import jax.numpy as jnp
    import optax

    rngs = None if key is None else {"dropout": key}
    logits = apply_fn({"params": params}, batch["inputs"], None, key is None, rngs=rngs)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch["targets"])
    weights = batch.get("weights", jnp.ones_like(losses))
    weight = weights.sum()
    return (losses * weights).sum() / weight, {"weight": weight}


if __name__ == "__main__":
    from recipes.commands import main

    sys.exit(main())
