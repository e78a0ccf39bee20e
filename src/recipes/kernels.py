"""Which attention kernel a run has: the one that `Auto` chooses, where a mesh allows it."""

import flax.linen as nn

from blocks import Auto, Causal, dot_product_attention, override
from blocks.attention.kernels import KernelCall
from recipes.config import Recipe
from recipes.trainer.mesh import MeshShape


def on_mesh(model: nn.Module, mesh: str | None) -> nn.Module:
    """Take the plain kernel where a mesh splits the tokens of a sequence: cuDNN's refuses that."""
    return override(model, implementation=dot_product_attention) if _splits(mesh) else model


def kernel_name(recipe: Recipe) -> str:
    """Name the kernel of a new model in training on this machine."""
    if _splits(recipe.trainer.mesh):
        return dot_product_attention.__name__
    model = recipe.model
    call = KernelCall(
        batch=recipe.part_size,
        heads=model.num_heads,
        q_seq=model.context,
        kv_seq=model.context,
        head_dim=model.features // model.num_heads,
        value_dim=model.features // model.num_heads,
        dtype=model.dtype,
        mask=Causal(),
        padded=recipe.documents != "joined",
        dropout=model.dropout_rate > 0.0,
    )
    kernel = Auto().choose(call).kernel
    return getattr(kernel, "__name__", type(kernel).__name__)


def _splits(mesh: str | None) -> bool:
    return mesh is not None and MeshShape.parse(mesh).sequence > 1
