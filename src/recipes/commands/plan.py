"""`plan PRESET`: what training needs on a mesh of devices that need not be there."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from recipes.commands.size import in_units, known_vocabulary
from recipes.config import Recipe
from recipes.planning.hardware import Hardware, hardware
from recipes.trainer.mesh import MeshShape

if TYPE_CHECKING:
    from recipes.planning import plan as planning

# Devices that are simulated: the largest mesh that is tried.
MOST_DEVICES = 256
WIDE = 28


@dataclass(frozen=True)
class Plan(Recipe):
    """Plan one step of training: memory of a device, work, network and the least time.

    Attributes:
        preset: Settings to start from; `presets` lists them. Or the folder of a run, or of a
            published model.
        mesh: Short for trainer.mesh.
        hardware: a100, h100, h200, tpu-v5p or cpu.
        whole: Whether to compile all layers too, however long that takes, and compare the memory.
    """

    preset: tyro.conf.Positional[str] = "quick"
    mesh: str | None = None
    hardware: str = "h100"
    whole: bool = False

    def __call__(self) -> int:
        """Plan, and print a table."""
        device = hardware(self.hardware)
        recipe = Recipe(**{name: getattr(self, name) for name in Recipe.__dataclass_fields__})
        mesh = self.mesh or recipe.trainer.mesh
        if self.hardware == "cpu" and mesh is None:
            recipe = recipe.on("cpu")
        mesh = mesh or "data=1"
        recipe = replace(recipe, trainer=replace(recipe.trainer, mesh=mesh))
        if recipe.init_from is None:
            recipe = replace(recipe, model=known_vocabulary(recipe))
        shape = MeshShape.parse(mesh)

        import jax

        with contextlib.suppress(RuntimeError):  # JAX has its devices already
            jax.config.update("jax_platforms", "cpu")
            jax.config.update("jax_num_cpu_devices", max(shape.devices, MOST_DEVICES))
        from recipes.planning import plan as planning
        from recipes.planning.compiled import compiled
        from recipes.runs.published import model_value

        model = model_value(recipe, Path(self.preset))
        found = planning.plan(recipe, model, shape)
        rows = recipe.part_size // shape.batch_parts
        print(f"{self.preset} on {shape.devices} x {device.name}, --mesh {shape}")
        print(f"{rows} sequences per device, {recipe.trainer.parts} times a step\n")
        _print_memory(found, device)
        if self.whole:
            whole = compiled(recipe, model, shape).memory + found.parameters + found.optimizer
            print(f"{'all layers compiled':<{WIDE}}{in_units(whole):>12}")
        print(f"{'cache':<{WIDE}}{in_units(found.cache):>12}   per sequence, to sample\n")
        _print_time(found, device, recipe)
        devices = len(jax.devices())
        smallest = planning.smallest_mesh(recipe, model, device, devices)
        named = (
            f"{smallest.shape} with {in_units(smallest.total)}"
            if smallest
            else f"none of up to {devices} devices; add --model.remat full, raise --accumulate or "
            "lower --model.context"
        )
        print(f"\n{'smallest mesh that fits':<{WIDE}}{named:>12}")
        return 0


def _print_memory(found: planning.Plan, device: Hardware) -> None:
    print(f"{'parameters':<{WIDE}}{in_units(found.parameters):>12}   per device")
    print(f"{'optimiser':<{WIDE}}{in_units(found.optimizer):>12}")
    print(f"{'activations, gradients':<{WIDE}}{in_units(found.activations):>12}")
    fits = "fits in" if found.total <= device.memory else "does not fit in"
    print(f"{'in all':<{WIDE}}{in_units(found.total):>12}   {fits} {in_units(device.memory)}")


def _print_time(found: planning.Plan, device: Hardware, recipe: Recipe) -> None:
    times = found.seconds(device, recipe.model.dtype)
    bound = max(times, key=lambda name: times[name])
    print(f"{'work':<{WIDE}}{found.flops / 1e9:>6,.1f} GFLOP   per device and step")
    for name, count in found.sent.items():
        print(f"{name:<{WIDE}}{in_units(count):>12}")
    for name, seconds in times.items():
        print(f"{name:<{WIDE}}{1000 * seconds:>9,.3f} ms{'   the bound' * (name == bound)}")
    tokens = recipe.batch_size * recipe.model.context / times[bound]
    print(f"{'tokens per second':<{WIDE}}{tokens:>12,.0f}   at most")
