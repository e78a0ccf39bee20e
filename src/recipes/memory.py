"""Memory that a training needs at least, compared with what there is, before JAX is imported."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from recipes.config import GPTConfig, Recipe
from recipes.errors import RecipeError

# Copies of the parameters in float32: weights, gradients, and what the optimiser keeps.
COPIES = {"adamw": 4, "lion": 3, "muon": 3, "adafactor": 2, "soap": 4}
# Length of the longest axis for which SOAP keeps a basis.
SOAP_LONGEST = 10_000
FLOAT32, INT32 = 4, 4
# A layer's share of the traced and compiled program, where each layer has its own.
PROGRAM = 2**20
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def check_memory(recipe: Recipe) -> None:
    """Refuse a model and a batch that cannot fit into the memory of this machine.

    Only what is needed in any case is counted, so that nothing is refused that may fit. Devices
    with a memory of their own, and meshes of several, are not looked at.

    Raises:
        RecipeError: It names both sizes.
    """
    limit = memory_limit()
    elsewhere = recipe.trainer.mesh is not None or Path("/dev/nvidia0").exists()
    if limit is None or elsewhere or (needed := least_bytes(recipe)) <= limit:
        return
    raise RecipeError(
        f"The model and its batch need at least {_gigabytes(needed)}, and this machine has "
        f"{_gigabytes(limit)}.",
        "Lower --model.features, --model.num-layers, --model.context or --batch-size; `size` says "
        "what a model takes.",
    )


def least_bytes(recipe: Recipe) -> int:
    """Bytes that training needs at least: parameters with their copies, batches, the program."""
    model = recipe.model
    width, tokens = model.features, recipe.batch_size * model.context
    parameters = (4 + 8 * (model.num_experts or 1)) * model.num_layers * width**2
    parameters += (model.context + (model.vocab_size or 0)) * width
    # Two groups of inputs and targets on the host, one part's embeddings on the device.
    parts = recipe.on("cpu").trainer.parts  # other devices are not looked at
    batch = 2 * 2 * INT32 * tokens + FLOAT32 * tokens * width // parts
    if recipe.init_from is not None:  # its own sizes count
        return batch
    copies = FLOAT32 * COPIES[recipe.optimizer.name] * parameters
    if recipe.optimizer.name == "soap":
        copies += FLOAT32 * _soap_squares(model)
    return copies + batch + PROGRAM * model.num_layers


def _soap_squares(model: GPTConfig) -> int:
    """Numbers in the preconditioners of SOAP and their bases: both, of each axis that has them."""
    narrow, wide = (
        2 * size**2 if size <= SOAP_LONGEST else 0 for size in (model.features, 4 * model.features)
    )
    # Four matrices of attention, features x features; two of each MLP, one way and the other.
    return model.num_layers * (8 * narrow + (model.num_experts or 1) * 2 * (narrow + wide))


def memory_limit() -> int | None:
    """Bytes that this process may use at most; None where the system does not say."""
    limits = []
    with contextlib.suppress(AttributeError, ValueError, OSError):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for place in LIMITS:
        with contextlib.suppress(OSError, ValueError):  # "max" is no limit
            limits.append(int(Path(place).read_text(encoding="ascii")))
    with contextlib.suppress(ImportError):  # not on every system
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        limits += [soft] if soft != resource.RLIM_INFINITY else []
    return min(limits, default=None)


def _gigabytes(count: int) -> str:
    return f"{count / 2**30:,.1f} GiB"
