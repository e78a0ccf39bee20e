"""Mixtures of experts, and latent attention."""

from reference_rows import Row

from recipes_rows.llamas import LLAMA, NO_HEAD_DIM

EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 12}
LINEAR = {
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 6,
    "linear_value_head_dim": 5,
}
LATENT = {
    **NO_HEAD_DIM,
    "num_key_value_heads": 4,
    "q_lora_rank": 12,
    "kv_lora_rank": 10,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 6,
    "v_head_dim": 5,
}
DEEPSEEK = {
    **LATENT,
    **EXPERTS,
    "n_routed_experts": 8,
    "n_shared_experts": 2,
    "n_group": 4,
    "topk_group": 2,
    "first_k_dense_replace": 1,
    "routed_scaling_factor": 1.7,
    "rope_parameters": {
        "rope_type": "yarn",
        "rope_theta": 7e3,
        "factor": 4.0,
        "mscale": 0.7,
        "mscale_all_dim": 0.9,
        "original_max_position_embeddings": 16,
    },
}


def row(name, number, reference, config, **options):
    return Row(name=name, number=number, reference=reference, config=config, **options)


ROWS = (
    row(
        "mixtral", 11, "MixtralForCausalLM",
        {**LLAMA, "num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 5},
    ),
    row(
        "deepseek_v2", 23, "DeepseekV2ForCausalLM",
        {**DEEPSEEK, "topk_method": "group_limited_greedy", "mlp_bias": True},
    ),
    row(
        "deepseek_v2_lite", 23, "DeepseekV2ForCausalLM",
        {**DEEPSEEK, "topk_method": "greedy", "q_lora_rank": None},
    ),
    row("deepseek_v3", 24, "DeepseekV3ForCausalLM", DEEPSEEK),
    row(
        "gpt_oss", 25, "GptOssForCausalLM",
        {
            **LLAMA, "num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 4,
            "swiglu_limit": 1.0,
            "rope_parameters": {
                "rope_type": "yarn", "rope_theta": 7e3, "factor": 4.0, "beta_fast": 32.0,
                "beta_slow": 1.0, "truncate": False, "original_max_position_embeddings": 16,
            },
        },
    ),
    row(
        "qwen2_moe", 52, "Qwen2MoeForCausalLM",
        {
            **NO_HEAD_DIM, **EXPERTS, "num_experts": 4, "shared_expert_intermediate_size": 20,
            "mlp_only_layers": [0], "norm_topk_prob": False,
        },
    ),
    row(
        "qwen3_moe", 52, "Qwen3MoeForCausalLM",
        {
            **LLAMA, **EXPERTS, "num_experts": 4, "decoder_sparse_step": 2, "norm_topk_prob": True,
            "attention_bias": True,
        },
    ),
    row(
        "olmoe", 55, "OlmoeForCausalLM",
        {**NO_HEAD_DIM, "num_experts": 4, "num_experts_per_tok": 2, "clip_qkv": 0.8},
    ),
    row(
        "llama4", 56, "Llama4ForCausalLM",
        {
            **LLAMA, "num_hidden_layers": 4, "num_local_experts": 4, "num_experts_per_tok": 2,
            "intermediate_size_mlp": 30, "attention_chunk_size": 4, "no_rope_layer_interval": 2,
            "interleave_moe_layer_step": 2, "floor_scale": 3, "attn_scale": 0.5,
        },
        padded=False,  # Its query temperature counts padding.
    ),
    row(
        "glm4_moe", 59, "Glm4MoeForCausalLM",
        {
            **LLAMA, **EXPERTS, "n_routed_experts": 8, "n_shared_experts": 2, "n_group": 4,
            "topk_group": 2, "first_k_dense_replace": 1, "use_qk_norm": True,
            "attention_bias": True, "routed_scaling_factor": 1.7,
        },
    ),
    row(
        "qwen3_next", 53, "Qwen3NextForCausalLM",
        {
            **LLAMA, **LINEAR, **EXPERTS, "num_experts": 4, "num_hidden_layers": 4,
            "shared_expert_intermediate_size": 20, "norm_topk_prob": True,
        },
    ),
    row("qwen3_5", 53, "Qwen3_5ForCausalLM", {**LLAMA, **LINEAR, "num_hidden_layers": 4}),
    row(
        "kimi_linear", 54, "KimiLinearForCausalLM",
        {
            **LATENT, "moe_intermediate_size": 12, "num_hidden_layers": 4, "q_lora_rank": None,
            "n_shared_experts": 2, "n_group": 2, "topk_group": 1, "num_experts_per_tok": 2,
            "num_local_experts": 8, "linear_head_dim": 6, "linear_num_heads": 4,
            "layer_types": ["linear_attention", "full_attention"] * 2,
            "mlp_layer_types": ["dense"] + ["sparse"] * 3,
        },
    ),
    row("minicpm3", 60, "MiniCPM3ForCausalLM", {**LATENT, "dim_model_base": 8}),
    row("apertus", 61, "ApertusForCausalLM", {**NO_HEAD_DIM, "attention_bias": True}),
)  # fmt: skip
