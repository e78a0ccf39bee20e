"""Rules by which parameters and the optimiser's state are split over a mesh of devices."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
from jax.sharding import AbstractMesh, AxisType, Mesh, NamedSharding, PartitionSpec

from recipes.errors import RecipeError
from recipes.trainer.mesh import MeshShape

# What the last axes of a parameter are, by the end of its name.
LOGICAL_AXES = {
    "query.kernel": ("embed", "heads", "head_dim"),
    "key.kernel": ("embed", "heads", "head_dim"),
    "value.kernel": ("embed", "heads", "head_dim"),
    "out.kernel": ("heads", "head_dim", "embed"),
    "query.bias": ("heads", "head_dim"),
    "key.bias": ("heads", "head_dim"),
    "value.bias": ("heads", "head_dim"),
    "up.kernel": ("embed", "hidden"),
    "gate.kernel": ("embed", "hidden"),
    "down.kernel": ("hidden", "embed"),
    "up.bias": ("hidden",),
    "gate.bias": ("hidden",),
    "embed.embedding": ("vocab", "embed"),
    "head.kernel": ("embed", "vocab"),
    "head.bias": ("vocab",),
}
# The axis of the mesh that splits each of them, beside `fsdp`, which splits what is largest.
MESH_AXES = {"heads": "tensor", "hidden": "tensor", "vocab": "tensor", "experts": "expert"}


def make_mesh(text: str | None) -> Mesh | None:
    """Arrange devices in a mesh, such as `data=2,fsdp=4`; None for none.

    The last axes lie on the devices that are nearest to each other.

    Raises:
        RecipeError: Another number of devices than the mesh has. One process may leave some idle.
    """
    if text is None:
        return None
    shape = MeshShape.parse(text)
    devices, count = jax.devices(), shape.devices
    if count > len(devices) or (count < len(devices) and jax.process_count() > 1):
        raise RecipeError(
            f"--mesh {shape} has {count} devices, and there are {len(devices)}.",
            f"Use sizes whose product is {len(devices)}, such as --mesh fsdp={len(devices)}; "
            f"JAX_NUM_CPU_DEVICES={count} simulates devices on a CPU.",
        )
    sizes = shape.sizes
    auto = (AxisType.Auto,) * len(sizes)
    return jax.make_mesh(
        tuple(sizes.values()), tuple(sizes), axis_types=auto, devices=devices[:count]
    )


def spec_of(
    shape: Sequence[int],
    mesh: Mesh | AbstractMesh,
    names: Iterable[str] | None = None,
    taken: Sequence[tuple[str, ...]] = (),
) -> PartitionSpec:
    """Split an array along the largest of its axes that the devices divide, if there is one.

    Args:
        shape: Shape of the array.
        mesh: The devices.
        names: Axes of the mesh to split over; None for all.
        taken: Axes of the mesh that split each axis of the array already.

    Example:
        >>> mesh = jax.make_mesh((1,), ("fsdp",), axis_types=(jax.sharding.AxisType.Auto,))
        >>> spec_of((3, 5), mesh) == PartitionSpec(None, "fsdp")
        True
    """
    names = mesh.axis_names if names is None else tuple(names)
    split = [list(axes) for axes in taken] or [[] for _ in shape]
    left = [
        size // math.prod(mesh.shape[name] for name in axes)
        for size, axes in zip(shape, split, strict=True)
    ]
    parts = math.prod(mesh.shape[name] for name in names)
    fitting = [axis for axis, size in enumerate(left) if size and size % parts == 0]
    if fitting and names:
        split[max(fitting, key=lambda axis: left[axis])] += names
    while split and not split[-1]:
        split.pop()
    return PartitionSpec(*(tuple(axes) or None for axes in split))


def parameter_spec(name: str, shape: tuple[int, ...], mesh: Mesh | AbstractMesh) -> PartitionSpec:
    """How a parameter is split: by `tensor` and `expert` as its name says, by `fsdp` by size.

    An axis that the mesh does not divide is not split. Names that are not known are split by `fsdp`
    alone.

    Args:
        name: Path of the parameter, such as `stack.layer_0.mlp.up.kernel`.
        shape: Its shape; a stack that is scanned has an axis of layers before the others.
        mesh: A mesh of `make_mesh`.
    """
    logical = logical_axes(name, len(shape))
    # Each step of a scan would have to gather a layer that lies on other devices.
    layers = logical.count("layers")
    sizes, taken = mesh.shape, list[tuple[str, ...]]()
    for size, axis in zip(shape[layers:], logical[layers:], strict=True):
        by = MESH_AXES.get(axis)
        taken.append((by,) if by and sizes[by] > 1 and size % sizes[by] == 0 else ())
    # A vector is too small to be worth a collective.
    by_size = ["fsdp"] if sizes["fsdp"] > 1 and len(taken) > 1 else []
    return PartitionSpec(*[None] * layers, *spec_of(shape[layers:], mesh, by_size, taken))


def state_shardings(state: Any, mesh: Mesh | AbstractMesh) -> Any:
    """Where each leaf of a training state lies; slots of the optimiser lie as their parameters.

    A slot of another shape, such as a preconditioner, is split by size alone.

    Args:
        state: The state, or its shapes.
        mesh: A mesh of `make_mesh`.
    """
    known = {
        _words(path): leaf.shape for path, leaf in jax.tree_util.tree_leaves_with_path(state.params)
    }

    def place(path: Any, leaf: Any) -> NamedSharding:
        words = _words(path)
        spec = PartitionSpec()
        for start in range(len(words)):
            if (shape := known.get(words[start:])) is not None:
                name = ".".join(words[start:]) if shape == leaf.shape else ""
                spec = parameter_spec(name, leaf.shape, mesh)
                break
        return NamedSharding(mesh, spec)

    return jax.tree_util.tree_map_with_path(place, state)


def create_on(mesh: Mesh | None, create: Callable[..., Any], *arguments: Any) -> Any:
    """Create a training state in pieces on a mesh, if there is one; it is never put together."""
    if mesh is None:
        return create(*arguments)
    shardings = state_shardings(jax.eval_shape(create, *arguments), mesh)
    return jax.jit(create, out_shardings=shardings)(*arguments)


def logical_axes(name: str, rank: int) -> tuple[str, ...]:
    """A word for each axis of a parameter, such as `("embed", "hidden")`; empty where not known."""
    known = next((axes for end, axes in LOGICAL_AXES.items() if f".{name}".endswith(f".{end}")), ())
    if known and ".experts." in f".{name}":
        known = ("experts", *known)
    if not known or len(known) > rank:
        return ("",) * rank
    return ("layers",) * (rank - len(known)) + known


def _words(path: Any) -> tuple[str, ...]:
    return tuple(jax.tree_util.keystr((key,), simple=True) for key in path)
