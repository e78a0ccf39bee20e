"""Llama and its kin."""

from reference_rows import Row

LLAMA = {
    "vocab_size": 64, "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "rms_norm_eps": 1e-3,
    "bos_token_id": 0, "eos_token_id": None, "pad_token_id": 0, "max_position_embeddings": 128,
}  # fmt: skip
ROPE = {"rope_type": "default", "rope_theta": 7e3}
NO_HEAD_DIM = {name: value for name, value in LLAMA.items() if name != "head_dim"}
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
                "rope_type": "llama3",
                "rope_theta": 5e5,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 16,
            },
        },
    ),
    Row(
        name="mistral",
        number=10,
        reference="MistralForCausalLM",
        config={
            **LLAMA,
            "sliding_window": 4,
            "rope_parameters": {"rope_type": "default", "rope_theta": 7e3},
        },
    ),
    Row(
        name="qwen2",
        number=12,
        reference="Qwen2ForCausalLM",
        config={
            **NO_HEAD_DIM,
            "use_sliding_window": True,
            "sliding_window": 4,
            "max_window_layers": 1,
            "num_attention_heads": 4,
        },
    ),
    Row(
        name="qwen3",
        number=13,
        reference="Qwen3ForCausalLM",
        config={
            **LLAMA,
            "use_sliding_window": True,
            "sliding_window": 4,
            "max_window_layers": 1,
            "attention_bias": True,
        },
    ),
    Row(
        name="phi3",
        number=18,
        reference="Phi3ForCausalLM",
        config={
            **NO_HEAD_DIM,
            "hidden_size": 32,
            "sliding_window": 5,
            "original_max_position_embeddings": 4,
            "partial_rotary_factor": 0.5,
            "rope_parameters": {
                "rope_type": "longrope",
                "rope_theta": 7e3,
                "partial_rotary_factor": 0.5,
                "short_factor": [1.0, 1.5],
                "long_factor": [2.0, 4.5],
                "original_max_position_embeddings": 4,
            },
        },
    ),
    Row(
        name="olmo",
        number=19,
        reference="OlmoForCausalLM",
        config={**NO_HEAD_DIM, "clip_qkv": 0.8, "attention_bias": True},
    ),
    Row(
        name="olmo2",
        number=20,
        reference="Olmo2ForCausalLM",
        config={**NO_HEAD_DIM, "attention_bias": True},
    ),
    Row(
        name="starcoder2",
        number=57,
        reference="Starcoder2ForCausalLM",
        config={**NO_HEAD_DIM, "norm_epsilon": 1e-3, "sliding_window": 4},
    ),
    Row(
        name="arcee",
        number=57,
        reference="ArceeForCausalLM",
        config={**LLAMA, "mlp_bias": True, "attention_bias": True},
    ),
    Row(
        name="seed_oss",
        number=57,
        reference="SeedOssForCausalLM",
        config={**LLAMA, "attention_out_bias": True, "mlp_bias": True},
    ),
    Row(
        name="smollm3",
        number=58,
        reference="SmolLM3ForCausalLM",
        config={
            **NO_HEAD_DIM,
            "num_hidden_layers": 4,
            "no_rope_layer_interval": 2,
            "use_sliding_window": True,
            "sliding_window": 4,
            "layer_types": ["full_attention", "sliding_attention"] * 2,
        },
    ),
    Row(
        name="granite",
        number=60,
        reference="GraniteForCausalLM",
        config={
            **NO_HEAD_DIM,
            "attention_bias": True,
            "embedding_multiplier": 3.0,
            "logits_scaling": 2.0,
            "residual_multiplier": 0.4,
            "attention_multiplier": 0.2,
        },
    ),
    Row(
        name="olmo3",
        number=55,
        reference="Olmo3ForCausalLM",
        config={
            **NO_HEAD_DIM,
            "num_hidden_layers": 4, "sliding_window": 4,
            "rope_parameters": {"rope_type": "yarn", "rope_theta": 7e3, "factor": 4.0,
                "original_max_position_embeddings": 16},
        },
    ),
    Row(
        name="exaone4",
        number=58,
        reference="Exaone4ForCausalLM",
        config={
            **NO_HEAD_DIM,
            "num_hidden_layers": 4, "sliding_window": 4,
            "sliding_window_pattern": 2,
        },
    ),
    Row(
        name="cohere2",
        number=58,
        reference="Cohere2ForCausalLM",
        config={
            **NO_HEAD_DIM,
            "num_hidden_layers": 4, "sliding_window": 4,
            "layer_norm_eps": 1e-3, "logit_scale": 0.5, "attention_bias": True,
        },
    ),
    Row(
        name="cohere",
        number=22,
        reference="CohereForCausalLM",
        config={
            **NO_HEAD_DIM,
            "layer_norm_eps": 1e-3, "logit_scale": 0.5, "attention_bias": True,
            "use_qk_norm": True,
        },
    ),
    Row(
        name="glm4",
        number=59,
        reference="Glm4ForCausalLM",
        config={
            **LLAMA,
            "rope_parameters": {**ROPE, "partial_rotary_factor": 0.5},
        },
    ),
    Row(
        name="stablelm",
        number=21,
        reference="StableLmForCausalLM",
        config={
            **NO_HEAD_DIM,
            "layer_norm_eps": 1e-3, "use_qkv_bias": True, "hidden_size": 32,
        },
    ),
    Row(
        name="stablelm_12b",
        number=21,
        reference="StableLmForCausalLM",
        config={
            **NO_HEAD_DIM,
            "layer_norm_eps": 1e-3, "use_parallel_residual": True, "hidden_size": 32,
            "qk_layernorm": True,
        },
    ),
    Row(
        name="nemotron",
        number=57,
        reference="NemotronForCausalLM",
        config={
            **LLAMA,
            "norm_eps": 1e-3, "attention_bias": True, "mlp_bias": True,
        },
    ),
    Row(
        name="gemma",
        number=14,
        reference="GemmaForCausalLM",
        config={
            **LLAMA,
            "attention_bias": True,
        },
    ),
    Row(
        name="gemma2",
        number=15,
        reference="Gemma2ForCausalLM",
        config={
            **LLAMA,
            "sliding_window": 4, "query_pre_attn_scalar": 13, "attn_logit_softcapping": 5.0,
            "final_logit_softcapping": 3.0,
        },
    ),
    Row(
        name="gemma3",
        number=16,
        reference="Gemma3ForCausalLM",
        config={
            **LLAMA,
            "num_hidden_layers": 7, "sliding_window": 4, "query_pre_attn_scalar": 13,
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "rope_theta": 7e4, "factor": 8.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 7e3},
            },
        },
    ),
)  # fmt: skip
