"""What is measured of training is a first start, whatever the process compiled before."""

from collections.abc import Iterator
from pathlib import Path

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

from recipes.bench import training
from recipes.bench.training import LONG_STEP, _without_kept_programs, measure_training
from recipes.config import GPTConfig, Recipe
from recipes.nanogpt import build_gpt

OPTIONS = {
    "jax_enable_compilation_cache": True,
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
}


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Path]:
    """Folder in which JAX keeps what it compiles."""
    options = {**OPTIONS, "jax_compilation_cache_dir": str(tmp_path)}
    before = {name: getattr(jax.config, name) for name in options}
    for name, value in options.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    yield tmp_path
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


def test_programs_are_neither_read_nor_kept_meanwhile_but_again_afterwards(kept: Path) -> None:
    def compiled(number: int) -> int:
        jax.jit(lambda x: x * number + 1).lower(1.0).compile()
        return len(list(kept.glob("*-cache")))

    assert compiled(2) == 1
    with _without_kept_programs():
        assert compiled(3) == 1
    assert compiled(4) == 2


@pytest.mark.parametrize(("operations", "steps"), [(LONG_STEP, 10), (0.0, 1)])
def test_a_row_is_one_step_where_a_step_takes_long(
    monkeypatch: pytest.MonkeyPatch, operations: float, steps: int
) -> None:
    config = GPTConfig(num_layers=1, num_heads=1, features=4, context=4, vocab_size=5)
    recipe = Recipe(model=config, batch_size=2)

    def trainer(state, settings, **options):
        assert settings.log_every == steps
        raise InterruptedError  # before it takes the time of a compiler

    monkeypatch.setattr(training, "Trainer", trainer)
    monkeypatch.setattr(training, "LONG_STEP", operations)
    with pytest.raises(InterruptedError):
        measure_training(recipe, build_gpt(config), 5, turns=1, seconds=0.0)
