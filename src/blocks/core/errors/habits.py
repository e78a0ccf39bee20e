"""Names known from PyTorch, each with its equivalent."""

_WIDTH = "the width comes with the input; TokenEmbedding(features=...) sets it"
FIELDS = {
    "embed_dim": _WIDTH,
    "d_model": _WIDTH,
    "num_embeddings": "write vocab_size",
    "embedding_dim": "write features",
    "in_features": "the width comes with the input; leave it out",
    "out_features": "write features",
    "bias": "write use_bias",
    "dropout": "write dropout_rate",
    "eps": "write epsilon",
    "causal": "write mask=Causal()",
    "is_causal": "write mask=Causal()",
    "attn_mask": "write mask=Causal(); padding comes as Context(valid=...)",
    "num_layers": "write Stack(block=..., depth=...)",
}

_PADDING = "padding comes as context=Context(valid=...), True for real tokens"
_MASK = f"who sees whom is a field of attention, as mask=Causal(); {_PADDING}"
_MODE = "write deterministic, which is True unless dropout is to act"
_SHARED = ("memory", "positions", "segment_ids", "token_type_ids")
ARGUMENTS = {
    **dict.fromkeys(("mask", "attn_mask"), _MASK),
    **dict.fromkeys(("attention_mask", "key_padding_mask", "padding_mask"), _PADDING),
    **dict.fromkeys(("train", "training"), _MODE),
    **{name: f"write context=Context({name}=...)" for name in _SHARED},
}

ATTRIBUTES = {
    "parameters": 'parameters live outside: variables = model.init(key, ...), variables["params"]',
    "state_dict": 'parameters are a tree outside the model: variables["params"]',
    "load_state_dict": 'pass the weights to the call: model.apply({"params": params}, ...)',
    "eval": "calls are deterministic unless they are told deterministic=False",
    "train": "pass deterministic=False and rngs={'dropout': key} to model.apply",
    "forward": "write `__call__`, and call model.apply(variables, ...)",
    "to": "parameters are arrays: jax.device_put(params, device); for a dtype, override(...)",
    "cuda": "parameters are arrays: jax.device_put(params, device)",
}
