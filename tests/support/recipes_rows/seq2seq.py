"""Encoder-decoders."""

from reference_rows import Row

TOKENS = {"vocab_size": 64, "bos_token_id": 0, "eos_token_id": None, "pad_token_id": 0}
START = {**TOKENS, "decoder_start_token_id": 2}
T5 = {
    **START, "d_model": 24, "d_kv": 5, "d_ff": 40, "num_layers": 3,
    "num_decoder_layers": 2, "num_heads": 4, "layer_norm_epsilon": 1e-3,
    "relative_attention_num_buckets": 8, "relative_attention_max_distance": 10,
}  # fmt: skip
BART = {
    **START, "d_model": 24, "encoder_layers": 2, "decoder_layers": 2,
    "encoder_attention_heads": 4, "decoder_attention_heads": 2, "encoder_ffn_dim": 40,
    "decoder_ffn_dim": 36, "max_position_embeddings": 80, "scale_embedding": True,
    "forced_eos_token_id": None,
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
        config={
            **T5,
            "num_layers": 2,  # with more, the reference's own bfloat16 is off by an eighth
            "feed_forward_proj": "gated-gelu",
            "tie_word_embeddings": False,
        },
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
    Row(
        name="bart",
        number=34,
        reference="BartForConditionalGeneration",
        kind="seq2seq",
        config=BART,
    ),
    Row(
        name="mbart",
        number=45,
        reference="MBartForConditionalGeneration",
        kind="seq2seq",
        config=BART,
    ),
    Row(
        name="pegasus",
        number=45,
        reference="PegasusForConditionalGeneration",
        kind="seq2seq",
        config=BART,
    ),
    Row(
        name="marian",
        number=35,
        reference="MarianMTModel",
        kind="seq2seq",
        config=BART,
    ),
    Row(
        name="blenderbot",
        number=42,
        reference="BlenderbotForConditionalGeneration",
        kind="seq2seq",
        config={**BART, "encoder_no_repeat_ngram_size": 0},
    ),
    Row(
        name="xglm",
        number=50,
        reference="XGLMForCausalLM",
        config={
            **TOKENS,
            "d_model": 24,
            "num_layers": 2,
            "attention_heads": 4,
            "ffn_dim": 40,
            "max_position_embeddings": 80,
            "pad_token_id": 1,
        },
    ),
    Row(
        name="m2m_100",
        number=45,
        reference="M2M100ForConditionalGeneration",
        kind="seq2seq",
        config={**BART, "pad_token_id": 1},
    ),
    Row(
        name="umt5",
        number=46,
        reference="UMT5ForConditionalGeneration",
        kind="seq2seq",
        config={**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
        untied=HEAD,
    ),
    Row(
        name="longt5",
        number=44,
        reference="LongT5ForConditionalGeneration",
        kind="seq2seq",
        config={**T5, "local_radius": 2, "tie_word_embeddings": False},
    ),
    Row(
        name="longt5_tglobal",
        number=44,
        reference="LongT5ForConditionalGeneration",
        kind="seq2seq",
        config={
            **T5,
            "local_radius": 2,
            "encoder_attention_type": "transient-global",
            "global_block_size": 4,
            "feed_forward_proj": "gated-gelu",
        },
        length=14,
    ),
    Row(
        name="blenderbot_small",
        number=42,
        reference="BlenderbotSmallForConditionalGeneration",
        kind="seq2seq",
        config=BART,
    ),
)
