"""Fields of configurations that change nothing in what a model computes."""

HARMLESS = frozenset(
    {
        # Where it came from, and how it was saved.
        "_name_or_path", "architectures", "auto_map", "dtype", "model_type", "torch_dtype",
        "transformers_version", "transformers.js_config", "quantization_config_note",
        # Tokens with a meaning, which generation is told of.
        "begin_suppress_tokens", "bos_token_id", "decoder_start_token_id", "eos_token_id",
        "forced_bos_token_id", "forced_eos_token_id", "pad_token_id", "sep_token_id",
        "cls_token_id", "mask_token_id", "suppress_tokens", "prefix",
        # How it is run.
        "chunk_size_feed_forward", "gradient_checkpointing", "output_attentions",
        "output_hidden_states", "return_dict", "torchscript", "use_bfloat16", "use_cache",
        "use_return_dict", "pretraining_tp", "attn_implementation", "_attn_implementation",
        "_attn_implementation_autoset", "attention_implementation",
        # How it was initialised and trained.
        "initializer_factor", "initializer_range", "init_std", "router_aux_loss_coef",
        "router_z_loss_coef", "output_router_logits", "aux_loss_alpha", "seq_aux",
        "router_jitter_noise", "layerdrop", "encoder_layerdrop", "decoder_layerdrop",
        "problem_type", "label2id", "id2label", "finetuning_task", "task_specific_params",
        "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type",
        "summary_use_proj", "max_length", "min_length", "num_beams", "early_stopping",
        "encoder_no_repeat_ngram_size", "no_repeat_ngram_size", "length_penalty",
        "gradient_checkpointing_kwargs", "bad_words_ids", "diversity_penalty", "do_sample",
        "exponential_decay_length_penalty", "num_beam_groups", "num_return_sequences",
        "output_scores", "remove_invalid_values", "repetition_penalty",
        "return_dict_in_generate", "temperature", "tf_legacy_loss", "top_k", "top_p", "typical_p",
        # Of kinds of model that these are not.
        "add_cross_attention", "cross_attention_hidden_size", "is_decoder", "is_encoder_decoder",
        "pruned_heads", "classifier_dropout", "tie_encoder_decoder", "tokenizer_class",
    }
)  # fmt: skip
