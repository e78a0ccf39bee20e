"""Parameters of adapters: train them alone, or merge them into the weights."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict

from blocks.adapters.lora import LoRA
from blocks.core.modules import fields_of, modules_in
from blocks.core.surgery import find, replace
from blocks.core.typing import Array
from blocks.layers.stack import Stack
from blocks.moe.experts import NAME
from blocks.moe.mixture import MixtureOfExperts

_NAMES = ("lora_a", "lora_b")


def label_lora(params: Mapping[str, Any]) -> dict[str, Any]:
    """Label every parameter as `"lora"` or `"base"`, to train adapters alone.

    For `optax.multi_transform`: `optax.multi_transform({"lora": optax.adamw(1e-4),
    "base": optax.set_to_zero()}, label_lora)`. `optax.masked` would pass the gradients of the base
    through unchanged.

    Args:
        params: the parameters of a model with adapters.

    Returns:
        A tree of labels with the same structure.

    Raises:
        ValueError: parameters without adapters, none of which would be trained.
    """
    leaves = flatten_dict(params)
    labels = {path: "lora" if path[-1] in _NAMES else "base" for path in leaves}
    if "lora" not in labels.values():
        raise ValueError(
            f"no adapter in {sorted(params)}; give the parameters of a model with a LoRA, "
            'variables["params"].'
        )
    return unflatten_dict(labels)


def merge_lora(model: nn.Module, params: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    r"""Merge the adapters into the weights: $W + \frac{\alpha}{r} A B$.

    Other parameters are passed on: `check_parameters` says whether they are all of the model's.

    Args:
        model: a model with adapters.
        params: its parameters.

    Returns:
        The model without adapters, and its parameters; the results are the same.

    Raises:
        ValueError: a model or parameters without adapters, an adapter that is not whole or does
            not fit its kernel, or adapters of different `alpha` in a
            block whose parts have other names than its fields.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import LoRA, MLP
        >>> from blocks.adapters import merge_lora
        >>> adapted, x = LoRA(block=MLP(hidden=8), targets=("up",)), jnp.ones((1, 3, 4))
        >>> plain, params = merge_lora(adapted, adapted.init(jax.random.key(0), x)["params"])
        >>> plain, sorted(params["up"])
        (MLP(hidden=8), ['bias', 'kernel'])

        ```

    References:
        Hu et al., LoRA, 2021, arXiv:2106.09685, section 4.1.
    """
    adapters = find(model, LoRA)
    if not adapters:
        raise ValueError(f"no part of {type(model).__name__} is a LoRA, so there is none to merge.")
    label_lora(params)
    alphas = {adapter.alpha for adapter in adapters.values()}
    only = alphas.pop() if len(alphas) == 1 else None
    leaves: dict[tuple[str, ...], Any] = flatten_dict(params)
    for path, alpha in _adapted(model, params, (), {}):
        alpha = only if alpha is None else alpha
        if alpha is None:
            raise ValueError(
                f"no adapter of the model stands at `{'.'.join(path)}`, so its alpha is not known; "
                "give all adapters the same alpha."
            )
        absent = [name for name in (*_NAMES, "kernel") if (*path, name) not in leaves]
        if absent:
            raise ValueError(
                f"the adapter at `{'.'.join(path)}` has no {absent[0]} to merge; give all "
                "parameters of the model, as check_parameters asks for them."
            )
        a, b = (leaves.pop((*path, name)) for name in _NAMES)
        kernel = leaves[(*path, "kernel")]
        if not _fit(a.shape, b.shape, kernel.shape):
            raise ValueError(
                f"the adapter at `{'.'.join(path)}`, of shapes {a.shape} and {b.shape}, does not "
                f"fit its kernel {kernel.shape}; give the parameters of one model."
            )
        leaves[(*path, "kernel")] = kernel + alpha * _product(a, b, kernel.shape)
    while find(model, LoRA):
        model = replace(model, LoRA, lambda adapter: adapter.block)
    return model, unflatten_dict(leaves)


def _fit(a: tuple[int, ...], b: tuple[int, ...], kernel: tuple[int, ...]) -> bool:
    """Return whether the product of two matrices of an adapter has the shape of a kernel."""
    scan = len(a) + len(b) - 2 - len(kernel)  # number of leading axes
    expected = (*kernel[:scan], a[-1], *kernel[len(a) - 1 :])
    return scan >= 0 and a[:-1] == kernel[: len(a) - 1] and b == expected


def _product(a: Array, b: Array, shape: tuple[int, ...]) -> Array:
    """Compute the update of weights, $A B / r$; leading axes are those of a scan."""
    # a: *scan *inputs rank, b: *scan rank *outputs, kernel: *scan *inputs *outputs.
    scan = a.ndim + b.ndim - 2 - len(shape)
    rank = a.shape[-1]
    matrices = a.reshape(*a.shape[:scan], -1, rank), b.reshape(*b.shape[: scan + 1], -1)
    return (jnp.matmul(*matrices, precision=jax.lax.Precision.HIGHEST) / rank).reshape(shape)


def _adapted(
    module: nn.Module | None, params: Mapping[str, Any], path: tuple[str, ...], alphas: dict
) -> Iterator[tuple[tuple[str, ...], float | None]]:
    """The paths of the adapted maps in `params`, each with the `alpha` of its adapter."""
    if isinstance(module, LoRA):
        own = dict.fromkeys(module.targets, module.alpha)
        yield from _adapted(module.block, params, path, {**alphas, **own})
        return
    for name, below in params.items():
        if isinstance(below, Mapping):
            if _NAMES[0] in below:
                yield (*path, name), alphas.get(name)
            yield from _adapted(_part(module, name), below, (*path, name), alphas)


def _part(module: nn.Module | None, name: str) -> nn.Module | None:
    """The part of `module` whose parameters have that name, if its fields show it."""
    layer = re.fullmatch(r"layers?(?:_(\d+))?", name)
    if isinstance(module, Stack) and layer:  # layer_3, layers, layers_1
        pattern = module.block if isinstance(module.block, tuple) else (module.block,)
        return pattern[int(layer[1] or 0) % len(pattern)]
    if isinstance(module, MixtureOfExperts) and name == NAME:
        return module.expert
    fields = {} if module is None else fields_of(module)
    return {path: part for key in fields for path, part in modules_in(fields[key], key)}.get(name)
