"""Encoders: BERT and its kin."""

from reference_rows import Row

from recipes_rows.senses import IMAGE, WAV2VEC2

BERT = {
    "vocab_size": 64,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 20,
    "layer_norm_eps": 1e-3,
    "pad_token_id": 0,
}

MODERN = {
    "vocab_size": 64,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "norm_eps": 1e-3,
    "norm_bias": True,
    "attention_bias": True,
    "mlp_bias": True,
    "classifier_bias": True,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    "local_attention": 6,
    "rope_parameters": {
        "full_attention": {"rope_type": "default", "rope_theta": 500.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 20.0},
    },
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2,
}  # fmt: skip


def row(name, number, reference, config, **options):
    return Row(
        name=name, number=number, reference=reference, config=config, kind="encoder", **options
    )


TYPES = ("token_type_ids",)
READS = {"is_decoder": True, "add_cross_attention": True}
GPT2 = {
    "model_type": "gpt2", "vocab_size": 64, "n_embd": 24, "n_layer": 2, "n_head": 4,
    "n_positions": 80, "layer_norm_epsilon": 1e-3, "bos_token_id": 1, "eos_token_id": None,
}  # fmt: skip
PAIR = {"decoder_start_token_id": 2, "pad_token_id": 0, "eos_token_id": None}
ROWS = (
    row("bert", 26, "BertForMaskedLM", BERT, special=TYPES),
    row("bert_pooler", 26, "BertModel", BERT, special=TYPES, output="pooler_output"),
    row(
        "bert_classifier", 26, "BertForSequenceClassification",
        {**BERT, "id2label": {"0": "A", "1": "B", "2": "C"}}, special=TYPES,
    ),
    row("bert_tokens", 26, "BertForTokenClassification", {**BERT, "num_labels": 3}),
    row(
        "roberta_classifier", 27, "RobertaForSequenceClassification",
        {**BERT, "type_vocab_size": 1, "pad_token_id": 1},
    ),
    row(
        "roberta", 27, "RobertaForMaskedLM",
        {**BERT, "type_vocab_size": 1, "pad_token_id": 1, "hidden_act": "relu"},
    ),
    row(
        "xlm_roberta", 47, "XLMRobertaForMaskedLM",
        {**BERT, "type_vocab_size": 1, "pad_token_id": 1},
    ),
    row(
        "roberta_prelayernorm", 47, "RobertaPreLayerNormForMaskedLM",
        {**BERT, "type_vocab_size": 2, "pad_token_id": 1, "hidden_act": "relu"},
        special=TYPES,
    ),
    Row(
        name="bert_to_bert", number=51, reference="EncoderDecoderModel", kind="seq2seq",
        config={
            **PAIR,
            "encoder": {**BERT, "model_type": "bert"},
            "decoder": {
                **BERT, **READS, "model_type": "bert", "num_attention_heads": 3,
                "hidden_size": 18, "max_position_embeddings": 80, "eos_token_id": None,
            },
        },
    ),
    Row(
        name="vit_to_gpt2", number=51, reference="VisionEncoderDecoderModel", kind="captions",
        config={
            **PAIR,
            "encoder": {**IMAGE, "model_type": "vit"},
            "decoder": {**GPT2, **READS},
        },
    ),
    Row(
        name="wav2vec2_to_bert", number=51, reference="SpeechEncoderDecoderModel", kind="speech",
        config={
            **PAIR,
            "encoder": {
                **WAV2VEC2, "model_type": "wav2vec2", "num_conv_pos_embeddings": 6,
            },
            "decoder": {
                **BERT, **READS, "model_type": "bert", "max_position_embeddings": 80,
                "eos_token_id": None,
            },
        },
    ),
    Row(
        name="vit_and_bert", number=51, reference="VisionTextDualEncoderModel", kind="towers",
        output="logits_per_text",
        config={
            "projection_dim": 6,
            "text_config": {**BERT, "model_type": "bert"},
            "vision_config": {**IMAGE, "model_type": "vit"},
        },
    ),
    Row(
        name="clip_and_bert", number=51, reference="VisionTextDualEncoderModel", kind="towers",
        output="logits_per_text",
        config={
            "projection_dim": 6,
            "text_config": {**BERT, "model_type": "bert"},
            "vision_config": {**IMAGE, "model_type": "clip_vision_model"},
        },
    ),
    row("modernbert", 29, "ModernBertForMaskedLM", MODERN),
    row(
        "modernbert_classifier", 29, "ModernBertForSequenceClassification",
        {**MODERN, "classifier_pooling": "mean", "num_labels": 3, "layer_types": None},
    ),
    row(
        "mpnet", 64, "MPNetModel",
        {**BERT, "pad_token_id": 1, "relative_attention_num_buckets": 32},
        output="pooler_output",
    ),
    row(
        "nomic_bert", 64, "NomicBertModel",
        {**BERT, "head_dim": 8, "rope_parameters": {"rope_theta": 50.0, "rope_type": "default"}},
        special=TYPES, output="last_hidden_state",
    ),
    row(
        "big_bird", 41, "BigBirdForMaskedLM",
        {**BERT, "max_position_embeddings": 30, "block_size": 3, "num_random_blocks": 1}
        | {"use_bias": False, "rescale_embeddings": True},
        special=TYPES, masked=False, length=22,
    ),
    row(
        "big_bird_full", 41, "BigBirdForMaskedLM",
        {**BERT, "hidden_act": "relu", "attention_type": "original_full"}, special=TYPES,
    ),
    row("roformer", 48, "RoFormerForMaskedLM", {**BERT, "hidden_act": "relu"}, special=TYPES),
    row(
        "roformer_values", 48, "RoFormerForMaskedLM",
        {**BERT, "embedding_size": 16, "rotary_value": True}, special=TYPES,
    ),
    row(
        "electra", 28, "ElectraForPreTraining",
        {**BERT, "embedding_size": 16, "hidden_act": "relu"}, special=TYPES,
    ),
    row(
        "electra_generator", 28, "ElectraForMaskedLM",
        {**BERT, "embedding_size": 32, "hidden_act": "relu"}, special=TYPES,
    ),
    row(
        "albert", 38, "AlbertForMaskedLM",
        {**BERT, "embedding_size": 16, "num_hidden_layers": 3, "num_hidden_groups": 2}
        | {"inner_group_num": 2},
        special=TYPES,
    ),
    row(
        "albert_shared", 38, "AlbertForMaskedLM",
        {**BERT, "embedding_size": 16, "hidden_act": "relu"}, special=TYPES,
    ),
    row(
        "distilbert", 39, "DistilBertForMaskedLM",
        {
            "vocab_size": 64, "dim": 24, "n_layers": 2, "n_heads": 4, "hidden_dim": 40,
            "max_position_embeddings": 20, "pad_token_id": 0,
        },
    ),
    row(
        "distilbert_classifier", 39, "DistilBertForSequenceClassification",
        {
            "vocab_size": 64, "dim": 24, "n_layers": 2, "n_heads": 4, "hidden_dim": 40,
            "max_position_embeddings": 20, "pad_token_id": 0,
        },
    ),
)  # fmt: skip
