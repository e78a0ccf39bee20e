"""Configurations near to a row's: other values of its fields, which the reference may accept."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import hypothesis.strategies as st

from recipes.weights.harmless import HARMLESS

Changes = dict[str, Any]

WIDTHS = ("hidden_size", "d_model", "n_embd", "dim")
ACTIVATIONS = ("gelu", "gelu_new", "relu", "silu", "gelu_pytorch_tanh", "quick_gelu", "tanh")
# Values of fields whose kind neither their name's end nor their default tells.
KNOWN: dict[str, Sequence[Any]] = {
    "attn_logit_softcapping": (2.0, None),
    "classifier_pooling": ("cls", "mean"),
    "clip_qkv": (0.4, None),
    "feed_forward_proj": ("relu", "gated-gelu", "gated-silu", "gelu", "gated-relu"),
    "final_logit_softcapping": (2.0, None),
    "first_k_dense_replace": (0,),
    "head_dim": (16, 24),
    "logit_scale": (0.3, 2.0),
    "n_group": (2, 1, 4),
    "num_hidden_groups": (1, 3),
    "num_ln_in_parallel_attn": (1, 2),
    "pad_token_id": (0, 1, 2),
    "patch_size": (3, 6),
    "pooler_act": ("relu", "gelu"),
    "q_lora_rank": (None, 16),
    "relative_attention_max_distance": (20,),
    "sliding_window": (3, 6, None),
    "topk_group": (1, 2),
    "use_bidirectional_attention": (True, False),
}
# Fields that the inputs of a row depend on, that follow from others, or that do nothing.
FIXED = {
    *WIDTHS, "dense_act_fn", "is_gated_act", "image_size", "num_channels", "num_mel_bins",
    "max_source_positions", "max_target_positions", "out_features", "out_indices", "stage_names",
    "init_device", "model_max_length", "qk_head_dim", "attention_layers",
}  # fmt: skip


def changes(fields: Mapping[str, Any], fixed: Sequence[str] = ()) -> st.SearchStrategy[Changes]:
    """Draw other values of up to six fields.

    Args:
        fields: A configuration as the reference completes it.
        fixed: Fields that stay.
    """
    options = {
        name: found
        for name, value in sorted(fields.items())
        if name not in fixed and (found := alternatives(name, value, fields))
    }
    chosen = st.sets(st.sampled_from(sorted(options)), min_size=1, max_size=6)
    return chosen.flatmap(
        lambda names: st.fixed_dictionaries(
            {name: st.sampled_from(options[name]) for name in sorted(names)}
        )
    )


def alternatives(name: str, value: Any, fields: Mapping[str, Any]) -> list[Any]:
    """Other values of a field; none where it is left alone."""
    if name in HARMLESS - {"pad_token_id"} or name in FIXED:
        return []
    found = list(KNOWN[name]) if name in KNOWN else _by_kind(name, value, fields)
    return [other for other in found if other != value or type(other) is not type(value)]


def _by_kind(name: str, value: Any, fields: Mapping[str, Any]) -> list[Any]:
    width = next((fields[name] for name in WIDTHS if fields.get(name)), 24)
    if name == "rope_parameters" and isinstance(value, Mapping):
        return _rotary(value, fields)
    if isinstance(value, Mapping):  # a configuration within
        return [
            {**value, inner: other}
            for inner, old in value.items()
            for other in alternatives(inner, old, value)
        ]
    if isinstance(value, bool):
        return [not value]
    if name.endswith(("act", "activation", "act_fn", "activation_function")):
        return list(ACTIVATIONS)
    if name.endswith(("num_key_value_heads", "num_kv_heads")):
        return [1, 2, 4]
    if name.endswith(("heads", "n_head")):
        grouped = fields.get("num_key_value_heads") or 1
        return [heads for heads in (1, 2, 4, 6, 8) if width % heads == heads % grouped == 0]
    if name.endswith(("layers", "n_layer")) and isinstance(value, int):
        return [value + 1, value + 2]
    if "position" in name and isinstance(value, int):
        return [2 * value]
    if "drop" in name and isinstance(value, int | float):
        return [0.3]
    if isinstance(value, int):
        return [2 * value, max(1, value // 2)]
    if isinstance(value, float):
        return [0.05] if "eps" in name else [value / 2, 1.7 * value]
    if isinstance(value, list) and value and all(isinstance(kind, str) for kind in value):
        return [value[::-1], value[1:] + value[:1]]
    if isinstance(value, list) and all(isinstance(index, int) for index in value):
        return [[0], [1], []] if "layers" in name else []
    return []


def _rotary(value: Mapping[str, Any], fields: Mapping[str, Any]) -> list[Any]:
    if any(isinstance(part, Mapping) for part in value.values()):
        return [
            {**value, kind: other}
            for kind, part in value.items()
            if isinstance(part, Mapping)
            for other in _rotary(part, fields)
            if other["rope_type"] != "longrope"
        ]
    base = {**value, "rope_theta": value.get("rope_theta", 1e4)}
    plain = {name: base[name] for name in ("rope_theta", "partial_rotary_factor") if name in base}
    yarn = {**plain, "rope_type": "yarn", "original_max_position_embeddings": 32, "factor": 4.0}
    llama3 = {**yarn, "rope_type": "llama3", "low_freq_factor": 1.0}
    pairs = _turned(value, fields) // 2
    return [
        {**base, "rope_theta": 30.0},
        *([{**base, "partial_rotary_factor": 0.5}] if pairs % 2 == 0 else []),
        {**plain, "rope_type": "default"},
        {**plain, "rope_type": "linear", "factor": 3.0},
        {**plain, "rope_type": "dynamic", "factor": 2.0},
        yarn,
        {**yarn, "attention_factor": 0.7, "beta_fast": 8.0},
        {**yarn, "mscale": 0.6, "mscale_all_dim": 0.8},
        {**yarn, "truncate": False, "beta_slow": 2.0},
        {**llama3, "high_freq_factor": 2.0},
        {
            **plain, "rope_type": "longrope", "original_max_position_embeddings": 8,
            "short_factor": [1.0 + 0.1 * i for i in range(pairs)],
            "long_factor": [2.0 + 0.3 * i for i in range(pairs)],
        },
    ]  # fmt: skip


def _turned(value: Mapping[str, Any], fields: Mapping[str, Any]) -> int:
    heads = fields.get("num_attention_heads") or 1
    dim = fields.get("head_dim") or fields.get("hidden_size", 24) // heads
    fraction = value.get("partial_rotary_factor") or fields.get("partial_rotary_factor") or 1.0
    return math.floor(dim * fraction)
