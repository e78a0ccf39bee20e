"""What is measured of training is a first start, whatever the process compiled before."""

from collections.abc import Iterator
from pathlib import Path

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

from recipes.bench.training import _without_kept_programs

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
