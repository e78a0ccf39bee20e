"""`plan PRESET`: what training needs on a mesh of devices that need not be there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import tyro

from recipes.commands.size import in_units, known_vocabulary
from recipes.planning.hardware import hardware
from recipes.presets import preset
from recipes.trainer.mesh import MeshShape


@dataclass(frozen=True)
class Plan:
    """Plan one step of training: memory of a device, work, network and the least time.

    Attributes:
        preset: Which; `presets` lists them.
        mesh: Devices along each axis, such as data=2,fsdp=4,tensor=2.
        hardware: h100, h200, tpu-v5p or cpu.
        compile: Whether to compile the step for simulated devices too, and compare the memory.
        batch_size: Sequences per step, in place of the preset's.
        accumulate: Parts of a batch, in place of the preset's.
    """

    preset: tyro.conf.Positional[str] = "quick"
    mesh: str = "data=1"
    hardware: str = "h100"
    compile: bool = False
    batch_size: int | None = None
    accumulate: int | None = None

    def __call__(self) -> int:
        """Plan, and print a table."""
        recipe, device = preset(self.preset), hardware(self.hardware)
        given = {"batch_size": self.batch_size, "accumulate": self.accumulate}
        sizes = {"batch_size": recipe.batch_size, "accumulate": recipe.trainer.accumulate}
        sizes |= {name: size for name, size in given.items() if size is not None}
        accumulate = sizes["accumulate"]
        recipe = replace(
            recipe,
            batch_size=sizes["batch_size"],
            trainer=replace(recipe.trainer, accumulate=accumulate, mesh=self.mesh),
            model=known_vocabulary(recipe),
        )
        shape = MeshShape.parse(self.mesh)

        import jax

        if self.compile:
            jax.config.update("jax_num_cpu_devices", shape.devices)
            jax.config.update("jax_platforms", "cpu")
        from recipes.planning import plan as planning

        found = planning.plan(recipe, shape)
        rows = recipe.batch_size // accumulate // shape.batch_parts
        print(f"{self.preset} on {shape.devices} x {device.name}, --mesh {shape}")
        print(f"{rows} sequences per device, {accumulate} times a step\n")
        print(f"{'parameters':<26}{in_units(found.parameters):>14}   per device")
        print(f"{'optimiser':<26}{in_units(found.optimizer):>14}")
        print(f"{'activations, gradients':<26}{in_units(found.activations):>14}")
        fits = "fits in" if found.total <= device.memory else "does not fit in"
        print(f"{'in all':<26}{in_units(found.total):>14}   {fits} {in_units(device.memory)}")
        if self.compile:
            part = planning.one_part(recipe)
            planned = planning.plan(part, shape).total
            compiled = planning.compiled_bytes(part, self.mesh)
            print(
                f"{'one part, in float32':<26}{in_units(planned):>14}   "
                f"{100 * (planned / compiled - 1):+.0f} % of {in_units(compiled)} as compiled"
            )
        print()
        times = found.seconds(device, recipe.model.dtype)
        bound = max(times, key=lambda name: times[name])
        print(f"{'work':<26}{found.flops / 1e9:>9,.1f} GFLOP   per device and step")
        for name, count in found.network.items():
            print(f"{name:<26}{in_units(count):>14}")
        for name, seconds in times.items():
            print(f"{name:<26}{1000 * seconds:>11,.3f} ms{'   the bound' * (name == bound)}")
        tokens = recipe.batch_size * recipe.model.context / times[bound]
        print(f"{'tokens per second':<26}{tokens:>14,.0f}   at most\n")
        smallest = planning.smallest_mesh(recipe, device)
        print(f"{'smallest mesh that fits':<26}{str(smallest.shape) if smallest else 'none':>14}")
        return 0
