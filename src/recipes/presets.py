"""Presets: named settings of whole runs, with the sources of their numbers."""

from dataclasses import replace

from recipes.config import GPTConfig, Recipe
from recipes.errors import RecipeError, nearest_of
from recipes.trainer.settings import OptimizerSettings, TrainerSettings

# Purpose of each preset, in one line for the command `presets`.
ABOUT = {
    "quick": "a first impression on a laptop CPU, in about a minute",
    "lecture": "the final model of Karpathy's lecture",
    "shakespeare-char": "nanoGPT's baby model for a GPU",
    "shakespeare-char-cpu": "nanoGPT's settings for a CPU",
    "gpt2-124m": "the smallest GPT-2, on byte-pair tokens; for a large GPU",
    "gpt2-1.5b": "the largest GPT-2; for eight large GPUs, --mesh fsdp=8",
}

_SETTINGS = {
    "quick": Recipe(
        batch_size=16,
        model=GPTConfig(num_layers=3, num_heads=4, features=128, context=64),
        optimizer=OptimizerSettings(learning_rate=3e-3, min_learning_rate=3e-4, warmup_steps=50),
        trainer=TrainerSettings(max_steps=1200, log_every=10, eval_every=300),
    ),
    # Karpathy, Let's build GPT, 2023, gpt.py: torch.optim.AdamW with its defaults, biases but in
    # queries, keys and values, no dropout of embeddings.
    "lecture": Recipe(
        data=("shakespeare",),
        batch_size=64,
        model=GPTConfig(
            num_layers=6,
            num_heads=6,
            features=384,
            context=256,
            vocab_size=65,
            dropout_rate=0.2,
            embedding_dropout=False,
            activation="relu",
            use_bias=True,
            tied_head=False,
            scaled_residual_init=False,
        ),
        optimizer=OptimizerSettings(
            learning_rate=3e-4,
            min_learning_rate=None,
            warmup_steps=0,
            beta2=0.999,
            weight_decay=0.01,
            clip_norm=None,
        ),
        trainer=TrainerSettings(max_steps=5000, log_every=10, eval_every=500),
    ),
    # Karpathy, nanoGPT, 2022, config/train_shakespeare_char.py.
    "shakespeare-char": Recipe(
        data=("shakespeare",),
        batch_size=64,
        model=GPTConfig(
            num_layers=6, num_heads=6, features=384, context=256, vocab_size=65, dropout_rate=0.2
        ),
        optimizer=OptimizerSettings(decay_steps=5000),
        trainer=TrainerSettings(max_steps=5000, log_every=10, eval_every=250),
    ),
    # The same with the arguments that its README gives for a CPU, except for the initial weights:
    # 0.02 is GPT-2's for a width of 768, and inputs six times as narrow need sqrt(6) as much.
    "shakespeare-char-cpu": Recipe(
        data=("shakespeare",),
        batch_size=12,
        model=GPTConfig(
            num_layers=4, num_heads=4, features=128, context=64, vocab_size=65, init_stddev=0.05
        ),
        optimizer=OptimizerSettings(decay_steps=2000),
        trainer=TrainerSettings(max_steps=2000, log_every=10, eval_every=250),
    ),
    # Radford et al., GPT-2, 2019; optimiser and bfloat16 of nanoGPT's config/train_gpt2.py.
    "gpt2-124m": Recipe(
        data=("stdlib",),
        tokenizer="bpe:50257",
        batch_size=480,
        model=GPTConfig(vocab_size=50257, use_bias=True, use_qkv_bias=True, dtype="bfloat16"),
        optimizer=OptimizerSettings(
            learning_rate=6e-4,
            min_learning_rate=6e-5,
            warmup_steps=2000,
            decay_steps=600_000,
            beta2=0.95,
        ),
        trainer=TrainerSettings(max_steps=600_000, log_every=10, eval_every=1000, accumulate=40),
    ),
    # Radford et al., GPT-2, 2019, table 2; optimiser of the next larger model in Brown et al.,
    # Language Models are Few-Shot Learners, 2020, table 2.1 and appendix B, with a warm-up over 375
    # million tokens. A GPU computes 4 sequences at a time.
    "gpt2-1.5b": Recipe(
        data=("stdlib",),
        tokenizer="bpe:50257",
        batch_size=512,
        model=GPTConfig(
            num_layers=48,
            num_heads=25,
            features=1600,
            vocab_size=50257,
            use_bias=True,
            use_qkv_bias=True,
            dtype="bfloat16",
            remat="full",
        ),
        optimizer=OptimizerSettings(
            learning_rate=2e-4,
            min_learning_rate=2e-5,
            warmup_steps=700,
            decay_steps=500_000,
            beta2=0.95,
        ),
        trainer=TrainerSettings(max_steps=500_000, log_every=10, eval_every=1000, accumulate=16),
    ),
}

PRESETS = {name: replace(recipe, preset=name) for name, recipe in _SETTINGS.items()}


def preset(name: str) -> Recipe:
    """Look up the settings of a preset.

    Raises:
        RecipeError: An unknown name; the nearest is suggested.
    """
    if name not in PRESETS:
        raise RecipeError(f"There is no preset {name!r}.", f"Use {nearest_of(name, PRESETS)}.")
    return PRESETS[name]
