"""Encoders: BERT and its kin."""

from reference_rows import Row

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


def row(name, number, reference, config, **options):
    return Row(
        name=name, number=number, reference=reference, config=config, kind="encoder", **options
    )


TYPES = ("token_type_ids",)
ROWS = (
    row("bert", 26, "BertForMaskedLM", BERT, special=TYPES),
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
)  # fmt: skip
