"""Attributes known from PyTorch, each with its equivalent."""

FIELDS = {
    "embed_dim": "the width comes with the input; TokenEmbedding(features=...) sets it",
    "d_model": "the width comes with the input; TokenEmbedding(features=...) sets it",
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
_MODE = "write deterministic, which is True unless dropout is to act"
ARGUMENTS = {
    "mask": f"who sees whom is a field of attention, as mask=Causal(); {_PADDING}",
    "attn_mask": f"who sees whom is a field of attention, as mask=Causal(); {_PADDING}",
    "attention_mask": _PADDING,
    "key_padding_mask": _PADDING,
    "padding_mask": _PADDING,
    "train": _MODE,
    "training": _MODE,
    "memory": "it comes as context=Context(memory=...)",
    "positions": "they come as context=Context(positions=...)",
    "segment_ids": "they come as context=Context(segment_ids=...)",
    "token_type_ids": "they come as context=Context(token_type_ids=...)",
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
