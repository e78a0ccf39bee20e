"""Language models that predict several tokens at each place."""

import numpy as np
from laws.case import EMBED, VOCAB, Case, tokens
from laws.families.attention import attention
from laws.families.residual import small
from laws.references import Params, reference

from blocks import (
    CausalLM,
    LMHead,
    MultiTokenLM,
    PreNorm,
    RMSNorm,
    Stack,
    TokenEmbedding,
)

E, V = EMBED, VOCAB
LAYER = small(PreNorm(), attention=attention(num_heads=2, use_bias=False))
LAYER_PARAMETERS = 4 * E * E + 2 * 6 * E + 2 * E

CASES = [
    Case(
        "multi_token",
        MultiTokenLM(
            model=CausalLM(
                embed=TokenEmbedding(vocab_size=V, features=E),
                stack=Stack(block=LAYER, depth=1),
                norm=RMSNorm(),
                head=LMHead(tied=True),
            ),
            block=LAYER,
            depth=2,
        ),
        tokens,
        V * E + LAYER_PARAMETERS + E + 2 * (2 * E * E + LAYER_PARAMETERS + 3 * E),
        argument="tokens",
        heavy=True,
    ),
]


@reference.register
def _(block: MultiTokenLM, params: Params, tokens: np.ndarray) -> np.ndarray:
    """Equations 21 to 23 of the DeepSeek-V3 report, a step on the places that it has."""
    model, own = block.model, params["model"]
    table = own["embed"]["embedding"]
    hidden = reference(model.stack, own["stack"], table[tokens])
    hidden = reference(model.norm, own["norm"], hidden)
    logits = np.zeros((len(tokens), 1 + block.depth, VOCAB))
    logits[:, 0] = hidden @ table.T
    for k in range(1, block.depth + 1):
        step = params[f"ahead_{k}"]
        hidden, ahead = hidden[:-1], table[tokens[k:]]
        pair = [
            reference(block.norm, step["hidden_norm"], hidden),
            reference(block.norm, step["token_norm"], ahead),
        ]
        projected = np.concatenate(pair, axis=-1) @ step["projection"]["kernel"]
        hidden = reference(block.block, step["block"], projected)
        last = reference(block.norm, step["last_norm"], hidden)
        logits[: len(last), k] = last @ table.T
    return logits
