from dataclasses import replace
from typing import Any

import pytest

from recipes.presets import PRESETS

QUICK = PRESETS["quick"]


@pytest.mark.parametrize(
    ("platform", "fields", "parts"),
    [
        ("cpu", {}, 8),  # 64 windows of 256 tokens, 8 at a time
        ("cpu", {"batch_size": 13}, 1),  # parts of one window would be far too small
        ("cpu", {"batch_size": 8}, 1),
        ("cuda", {}, 1),
        ("cpu", {"trainer": replace(QUICK.trainer, accumulate=2)}, 2),
        ("cpu", {"trainer": replace(QUICK.trainer, mesh="data=2")}, 1),
        ("cpu", {"model": replace(QUICK.model, context=4096)}, 64),
    ],
)
def test_a_cpu_computes_a_large_batch_in_parts(
    platform: str, fields: dict[str, Any], parts: int
) -> None:
    recipe = replace(PRESETS["shakespeare-char"], **fields)
    assert recipe.on(platform).trainer.accumulate == parts
