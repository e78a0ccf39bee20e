"""Decoders up to 2022."""

from reference_rows import Row

ROWS = (
    Row(
        name="gpt2",
        number=1,
        reference="GPT2LMHeadModel",
        config={
            "vocab_size": 64, "n_positions": 80, "n_embd": 24, "n_layer": 2, "n_head": 4,
            "n_inner": 40, "layer_norm_epsilon": 1e-3, "bos_token_id": 0, "eos_token_id": None,
        },
    ),
)  # fmt: skip
