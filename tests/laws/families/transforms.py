"""Changes of queries, keys, values and heads, and what layers leave to later ones."""

from laws.case import EMBED, VOCAB, Case, tokens, vectors
from laws.families.attention import attention

from blocks import (
    MLP,
    CausalLM,
    LMHead,
    OutputGate,
    RMSNorm,
    RoPE,
    SharedRelativeBias,
    Stack,
    TokenEmbedding,
    TransformerBlock,
    ValueEmbedding,
    ValueResidual,
)
from blocks.attention import BlockSparse, ClipQK, ClipValue
from blocks.positions import QueryTemperature, RotaryValues, SharedGridBias

E, V = EMBED, VOCAB

CASES = [
    Case(
        "attention_gated",
        attention(
            num_kv_heads=2,
            qk=(ClipQK(limit=0.7),),
            values=(ClipValue(limit=0.9),),
            gate=OutputGate(use_bias=True),
            use_bias=False,
        ),
        vectors,
        3 * E * E + 2 * E * 4 + E,
        mixes=True,
        caches=True,
    ),
    Case(
        "attention_block_sparse",
        attention(scores=(BlockSparse(size=1, repeats=2),), use_bias=False),
        vectors,
        4 * E * E,
        mixes=True,
    ),
    Case(
        "attention_temperature",
        attention(num_kv_heads=2, position=QueryTemperature(interval=2, scale=0.7), use_bias=False),
        vectors,
        2 * E * E + 2 * E * 4,
        mixes=True,
        caches=True,
    ),
    Case(
        "attention_rotary_values",
        attention(
            num_kv_heads=2,
            position=RoPE(),
            values=(RotaryValues(rope=RoPE(theta=30.0, interleaved=True)),),
            use_bias=False,
        ),
        vectors,
        2 * E * E + 2 * E * 4,
        mixes=True,
        caches=True,
        heavy=True,
    ),
    Case(
        "stack_grid",
        Stack(
            block=TransformerBlock(
                attention=attention(
                    mask=None,
                    scores=(SharedGridBias(rows=2, columns=2, extra_tokens=2),),
                    use_bias=False,
                ),
                mlp=MLP(hidden=4, use_bias=False),
                norm=RMSNorm(),
            ),
            depth=2,
        ),
        vectors,
        2 * (4 * E * E + 2 * 4 * E + 2 * E) + (3 * 3 + 3) * 4,
        mixes=True,
        heavy=True,
    ),
    Case(
        "gpt_values",
        CausalLM(
            embed=TokenEmbedding(vocab_size=V, features=E),
            stack=Stack(
                block=TransformerBlock(
                    attention=attention(
                        num_kv_heads=2,
                        scores=(
                            SharedRelativeBias(num_buckets=4, max_distance=5, bidirectional=False),
                        ),
                        values=(ValueResidual(), ValueEmbedding(vocab_size=V)),
                        use_bias=False,
                    ),
                    mlp=MLP(hidden=4, use_bias=False),
                    norm=RMSNorm(),
                ),
                depth=2,
                remat=True,
            ),
            norm=RMSNorm(),
            head=LMHead(tied=True),
        ),
        tokens,
        V * E
        + 2 * (2 * E * E + 2 * E * 4 + 2 * 4 * E + 2 * E)  # projections, MLP, norms
        + 4 * 4  # one table of distances
        + 2  # weights of the second layer's value residual
        + 2 * (V * 4 + 2)  # values of tokens
        + E,
        argument="tokens",
        mixes=True,
        caches=True,
        heavy=True,
    ),
]
