"""Decoders of GPT's and its successors' kind."""

from reference_rows import Row

TOKENS = {"vocab_size": 64, "bos_token_id": 0, "eos_token_id": None, "pad_token_id": 0}
GPT = {**TOKENS, "n_embd": 24, "n_layer": 2, "n_head": 4, "layer_norm_epsilon": 1e-3}
SIZES = {
    **TOKENS,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "layer_norm_eps": 1e-3,
    "max_position_embeddings": 80,
}
# Falcon's eager attention adds ALiBi twice: its rows have the other one.
FALCON = {
    **TOKENS,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "layer_norm_epsilon": 1e-3,
    "ffn_hidden_size": 40,
}


def row(name, number, reference, config, **options):
    return Row(name=name, number=number, reference=reference, config=config, **options)


ROWS = (
    row("gpt2", 1, "GPT2LMHeadModel", {**GPT, "n_positions": 80, "n_inner": 40}),
    row("gpt_neox", 2, "GPTNeoXForCausalLM", {**SIZES, "hidden_size": 32}),
    row(
        "gpt_neox_sequential", 2, "GPTNeoXForCausalLM",
        {**SIZES, "hidden_size": 32, "use_parallel_residual": False, "attention_bias": False},
    ),
    row("gptj", 3, "GPTJForCausalLM", {**GPT, "n_embd": 32, "rotary_dim": 4, "n_inner": 40}),
    row("opt", 4, "OPTForCausalLM", {
            **TOKENS, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
            "max_position_embeddings": 80, "ffn_dim": 40, "word_embed_proj_dim": 24,
        }),
    row("opt_350m", 4, "OPTForCausalLM", {
            **TOKENS, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
            "max_position_embeddings": 80, "ffn_dim": 40, "word_embed_proj_dim": 16,
            "do_layer_norm_before": False,
        }),
    row("bloom", 5, "BloomForCausalLM", {
            **TOKENS, "hidden_size": 24, "n_layer": 2, "n_head": 6, "layer_norm_epsilon": 1e-3,
        }),
    row(
        "mpt", 6, "MptForCausalLM",
        {
            **TOKENS, "d_model": 24, "n_layers": 2, "n_heads": 6, "layer_norm_epsilon": 1e-3,
            "max_seq_len": 80, "attn_config": {"clip_qkv": 0.8, "softmax_scale": 0.3},
        },
    ),
    row("falcon_7b", 7, "FalconForCausalLM", FALCON, attention="sdpa"),
    row(
        "falcon_40b", 7, "FalconForCausalLM",
        {**FALCON, "new_decoder_architecture": True, "num_kv_heads": 2},
        attention="sdpa",
    ),
    row(
        "falcon_rw", 7, "FalconForCausalLM",
        {**FALCON, "alibi": True, "bias": True, "multi_query": False, "parallel_attn": False},
        attention="sdpa",
    ),
    row(
        "phi_2", 17, "PhiForCausalLM",
        {
            **SIZES, "hidden_size": 32, "num_key_value_heads": 2,
            "rope_parameters": {
                "rope_type": "default", "rope_theta": 7e3, "partial_rotary_factor": 0.5,
            },
        },
    ),
    row(
        "gpt_neo", 43, "GPTNeoForCausalLM",
        {
            **TOKENS, "hidden_size": 24, "num_layers": 2, "num_heads": 4, "intermediate_size": 40,
            "window_size": 4, "attention_types": [[["global", "local"], 1]],
            "max_position_embeddings": 80, "layer_norm_epsilon": 1e-3,
        },
    ),
)  # fmt: skip
