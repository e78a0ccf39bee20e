"""Llama and its kin."""

from reference_rows import Row

LLAMA = {
    "vocab_size": 64, "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "rms_norm_eps": 1e-3,
    "bos_token_id": 0, "eos_token_id": None, "pad_token_id": 0, "max_position_embeddings": 128,
}  # fmt: skip
ROWS = (
    Row(
        name="llama_2",
        number=8,
        reference="LlamaForCausalLM",
        config={**LLAMA, "attention_bias": True, "mlp_bias": True},
    ),
    Row(
        name="llama_3",
        number=9,
        reference="LlamaForCausalLM",
        config={
            **LLAMA,
            "tie_word_embeddings": True,
            "rope_parameters": {
                "rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0,
                "high_freq_factor": 4.0, "original_max_position_embeddings": 16,
            },
        },
    ),
)  # fmt: skip
