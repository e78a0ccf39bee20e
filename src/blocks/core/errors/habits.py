"""Names of fields, arguments and methods known from PyTorch, each with its equivalent."""

MASK = (
    "who sees whom is a field of attention, as mask=Causal(); padding comes as "
    "context=Context(valid=...), True for real tokens"
)
_MASKS = ("attn_mask", "attention_mask", "key_padding_mask", "padding_mask", "causal", "is_causal")
_WIDTH = "the width comes with the input; TokenEmbedding(features=...) sets it"
_PARAMETERS = 'parameters live outside: variables = model.init(key, ...), variables["params"]'
_CALL = "call model.apply(variables, ..., deterministic), which is True unless dropout is to act"
_DEVICE = "parameters are arrays: jax.device_put(params, device); for a dtype, override(model, ...)"
HABITS = {
    **dict.fromkeys(("mask", *_MASKS), MASK),
    **dict.fromkeys(("embed_dim", "d_model", "in_features"), _WIDTH),
    "num_embeddings": "write vocab_size",
    "embedding_dim": "write features",
    "num_layers": "write Stack(block=..., depth=...)",
    **{name: f"write context=Context({name}=...)" for name in ("memory", "positions")},
    **dict.fromkeys(("parameters", "state_dict", "load_state_dict"), _PARAMETERS),
    **dict.fromkeys(("forward", "train", "training", "eval"), _CALL),
    **dict.fromkeys(("to", "cuda"), _DEVICE),
}
