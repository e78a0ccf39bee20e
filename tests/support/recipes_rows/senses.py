"""Models of images and of sound."""

from reference_rows import Row

IMAGE = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
    "image_size": 12, "patch_size": 4, "num_channels": 3, "layer_norm_eps": 1e-3,
}  # fmt: skip
DINO = {
    **{name: value for name, value in IMAGE.items() if name != "intermediate_size"},
    "mlp_ratio": 2,
}
WHISPER = {
    "vocab_size": 64, "d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "num_mel_bins": 6,
    "encoder_attention_heads": 2, "decoder_attention_heads": 4, "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 20, "max_source_positions": 10, "max_target_positions": 96,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": None, "decoder_start_token_id": 2,
    "begin_suppress_tokens": None,
}  # fmt: skip
TEXT = {
    "vocab_size": 12, "hidden_size": 20, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 24, "max_position_embeddings": 16, "layer_norm_eps": 1e-3,
    "projection_dim": 6, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 11,
}  # fmt: skip
SIGLIP_TEXT = {
    "vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 24, "max_position_embeddings": 20, "projection_size": 10,
    "layer_norm_eps": 1e-3, "eos_token_id": None, "bos_token_id": 1,
}  # fmt: skip
WAV2VEC2 = {
    "vocab_size": 20, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 24, "conv_dim": [6, 8, 10], "conv_kernel": [10, 3, 2],
    "conv_stride": [5, 2, 2], "num_conv_pos_embedding_groups": 4, "layer_norm_eps": 1e-3,
}  # fmt: skip
MOONSHINE = {
    "vocab_size": 64, "hidden_size": 16, "intermediate_size": 24, "encoder_num_hidden_layers": 2,
    "decoder_num_hidden_layers": 2, "encoder_num_attention_heads": 2,
    "decoder_num_attention_heads": 2, "attention_bias": True, "pad_head_dim_to_multiple_of": 16,
    "pad_token_id": 0, "eos_token_id": None, "decoder_start_token_id": 2,
    "rope_parameters": {
        "rope_type": "default", "rope_theta": 50.0, "partial_rotary_factor": 0.75,
    },
}  # fmt: skip
ROWS = (
    Row(
        name="clip_text",
        number=32,
        reference="CLIPTextModelWithProjection",
        kind="encoder",
        output="text_embeds",
        config=TEXT,
    ),
    Row(
        name="clip",
        number=32,
        reference="CLIPModel",
        kind="towers",
        output="logits_per_text",
        config={
            "projection_dim": 6,
            "text_config": {**TEXT, "eos_token_id": 2, "hidden_act": "gelu"},
            "vision_config": {**IMAGE, "projection_dim": 5},
        },
    ),
    Row(
        name="vit",
        number=30,
        reference="ViTForImageClassification",
        kind="vision",
        config={**IMAGE, "hidden_act": "gelu_new", "num_labels": 5},
    ),
    Row(
        name="vit_model",
        number=30,
        reference="ViTModel",
        kind="vision",
        output="pooler_output",
        config={**IMAGE, "qkv_bias": False},
    ),
    Row(
        name="deit",
        number=62,
        reference="DeiTForImageClassification",
        kind="vision",
        config={**IMAGE, "num_labels": 5},
    ),
    Row(
        name="dinov2",
        number=31,
        reference="Dinov2Model",
        kind="vision",
        output="last_hidden_state",
        config={**DINO, "use_swiglu_ffn": True},
    ),
    Row(
        name="dinov2_registers",
        number=31,
        reference="Dinov2WithRegistersModel",
        kind="vision",
        output="last_hidden_state",
        config={**DINO, "num_register_tokens": 3, "qkv_bias": False},
    ),
    Row(
        name="beit",
        number=40,
        reference="BeitForImageClassification",
        kind="vision",
        config={
            **IMAGE,
            "use_absolute_position_embeddings": True,
            "use_relative_position_bias": True,
            "use_mask_token": True,
            "num_labels": 5,
        },
    ),
    Row(
        name="beit_model",
        number=40,
        reference="BeitModel",
        kind="vision",
        output="last_hidden_state",
        config={
            **IMAGE,
            "use_relative_position_bias": True,
            "use_shared_relative_position_bias": True,
            "use_mean_pooling": False,
            "layer_scale_init_value": 0.0,
        },
    ),
    Row(
        name="dinov3",
        number=62,
        reference="DINOv3ViTModel",
        kind="vision",
        output="last_hidden_state",
        config={
            **IMAGE,
            "num_register_tokens": 3,
            "use_gated_mlp": True,
            "hidden_act": "silu",
            "key_bias": True,
            "rope_theta": 30.0,
        },
    ),
    Row(
        name="dinov3_plain",
        number=62,
        reference="DINOv3ViTModel",
        kind="vision",
        output="last_hidden_state",
        config={**IMAGE, "query_bias": False, "value_bias": False, "proj_bias": False},
    ),
    Row(
        name="siglip_vision",
        number=62,
        reference="SiglipVisionModel",
        kind="vision",
        output="pooler_output",
        config=IMAGE,
    ),
    Row(
        name="siglip_patches",
        number=62,
        reference="SiglipVisionModel",
        kind="vision",
        output="last_hidden_state",
        config={**IMAGE, "vision_use_head": False, "hidden_act": "gelu"},
    ),
    Row(
        name="siglip_text",
        number=62,
        reference="SiglipTextModel",
        kind="encoder",
        output="pooler_output",
        masked=False,  # what the reference reads is the last token, of padding where there is any
        config=SIGLIP_TEXT,
    ),
    Row(
        name="siglip",
        number=62,
        reference="SiglipModel",
        kind="towers",
        output="logits_per_text",
        masked=False,
        config={
            "text_config": {**SIGLIP_TEXT, "projection_size": 16},
            "vision_config": {**IMAGE, "num_hidden_layers": 1},
        },
    ),
    Row(
        name="whisper",
        number=36,
        reference="WhisperForConditionalGeneration",
        kind="speech",
        config={**WHISPER, "activation_function": "gelu_new"},
    ),
    Row(
        name="distil_whisper",
        number=63,
        reference="WhisperForConditionalGeneration",
        kind="speech",
        config={**WHISPER, "decoder_layers": 1, "tie_word_embeddings": False},
    ),
    Row(
        name="clip_vision",
        number=32,
        reference="CLIPVisionModelWithProjection",
        kind="vision",
        output="image_embeds",
        config={**IMAGE, "projection_dim": 10},
    ),
    Row(
        name="wav2vec2",
        number=49,
        reference="Wav2Vec2ForCTC",
        kind="sound",
        masked=False,  # its norm averages over padding
        config={**WAV2VEC2, "num_conv_pos_embeddings": 6},
    ),
    Row(
        name="wav2vec2_stable",
        number=49,
        reference="Wav2Vec2ForCTC",
        kind="sound",
        config={
            **WAV2VEC2,
            "num_conv_pos_embeddings": 5,
            "feat_extract_norm": "layer",
            "do_stable_layer_norm": True,
            "conv_bias": True,
            "hidden_act": "gelu_new",
        },
    ),
    Row(
        name="moonshine",
        number=63,
        reference="MoonshineForConditionalGeneration",
        kind="speech",
        config=MOONSHINE,
    ),
    Row(
        name="moonshine_untied",
        number=63,
        reference="MoonshineForConditionalGeneration",
        kind="speech",
        config={
            **MOONSHINE,
            "decoder_num_hidden_layers": 1,
            "tie_word_embeddings": False,
            "encoder_hidden_act": "relu",
            "decoder_hidden_act": "gelu",
        },
    ),
)
