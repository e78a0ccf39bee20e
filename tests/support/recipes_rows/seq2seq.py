"""Encoder-decoders."""

from reference_rows import Row

START = {"decoder_start_token_id": 2, "bos_token_id": 0, "eos_token_id": None, "pad_token_id": 0}
T5 = {
    **START, "vocab_size": 64, "d_model": 24, "d_kv": 5, "d_ff": 40, "num_layers": 3,
    "num_decoder_layers": 2, "num_heads": 4, "layer_norm_epsilon": 1e-3,
    "relative_attention_num_buckets": 8, "relative_attention_max_distance": 10,
}  # fmt: skip
HEAD = (("lm_head.weight", (64, 24)),)
ROWS = (
    Row(
        name="t5",
        number=33,
        reference="T5ForConditionalGeneration",
        kind="seq2seq",
        config=T5,
    ),
    Row(
        name="t5_v1_1",
        number=33,
        reference="T5ForConditionalGeneration",
        kind="seq2seq",
        config={**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
        untied=HEAD,
    ),
    Row(
        name="mt5",
        number=46,
        reference="MT5ForConditionalGeneration",
        kind="seq2seq",
        config={**T5, "feed_forward_proj": "gated-gelu"},
        untied=HEAD,
    ),
)
