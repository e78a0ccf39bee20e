"""`LoRA`: a low-rank update of the linear maps of a block."""

import difflib
import math
from typing import Annotated, Any

import flax.linen as nn
from flax.linen.dtypes import promote_dtype

from blocks.core.block import Block, fresh
from blocks.core.bounds import Size, positive
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.slots import Adapter
from blocks.core.surgery import find
from blocks.core.typing import Array, Initializer, Key, typed
from blocks.linear import Linear


class LoRA(Adapter, Block, kw_only=True):
    r"""Low-rank adaptation (LoRA): a learned low-rank update of a block's linear maps.

    $$y = x W + b + \frac{\alpha}{r}\,(x A) B, \qquad W \in \mathbb{R}^{n \times m},\;
    A \in \mathbb{R}^{n \times r},\; B \in \mathbb{R}^{r \times m}$$

    $B$ starts at zero, so that a fresh adapter changes nothing. The block's parameters keep their
    names, and `lora_a` and `lora_b` stand beside the `kernel` that they change, so pretrained
    parameters of the block fit. The block may be an attention block, a layer, or a whole model.

    Attributes:
        block: the block to adapt.
        rank: columns $r$ of $A$.
        alpha: weight $\alpha$ of the update, before it is divided by the rank.
        targets: names of the `Linear` maps to adapt, at any depth of the block.
        a_init: initialiser of $A$, drawn as a matrix of inputs x rank.

    Raises:
        ValueError: a rank below 1, a weight that is not positive, no target, a target that an
            adapter inside changes already, or, where parameters are made, one that the block lacks.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import LoRA, MLP, MultiHeadAttention, TransformerBlock, replace
        >>> block = TransformerBlock(attention=MultiHeadAttention(num_heads=2), mlp=MLP(hidden=8))
        >>> adapted = replace(block, MultiHeadAttention, lambda old: LoRA(block=old, rank=3))
        >>> variables = adapted.init(jax.random.key(0), jnp.ones((1, 5, 8)))
        >>> jax.tree.map(jnp.shape, variables["params"]["attention"]["query"])
        {'bias': (2, 4), 'kernel': (8, 2, 4), 'lora_a': (8, 3), 'lora_b': (3, 2, 4)}

        ```

    References:
        Hu et al., LoRA, 2021, arXiv:2106.09685, section 4.
    """

    block: nn.Module
    rank: Size = 8
    alpha: Annotated[float, positive()] = 16.0
    targets: tuple[str, ...] = ("query", "value")
    a_init: Initializer = LECUN_NORMAL

    def check_fields(self) -> None:
        """Validate rank, weight and targets, and that no target is adapted already."""
        if not self.targets:
            raise ValueError('targets=() adapts nothing; name linear maps, as ("query", "value").')
        for path, inner in find(self.block, LoRA).items():
            twice = sorted({*self.targets} & {*inner.targets})
            if twice:
                raise ValueError(
                    f"targets={self.targets}: the adapter at `{path or 'block'}` changes "
                    f"{', '.join(twice)} already; leave them to one of the two."
                )

    @typed
    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Run the adapted block, with its arguments and its result."""
        result, names = self._run("__call__", *arguments, **options)
        if self.is_mutable_collection("params"):
            self._check_targets(names)
        return result

    def embedded(self, *arguments: Any, **options: Any) -> Any:
        """Embed, where the block is a model."""
        return self._run("embedded", *arguments, **options)[0]

    def hidden(self, *arguments: Any, **options: Any) -> Any:
        """Compute the vectors that the head reads, where the block is a model."""
        return self._run("hidden", *arguments, **options)[0]

    def logits(self, *arguments: Any, **options: Any) -> Any:
        """Apply the head, where the block is a model."""
        return self._run("logits", *arguments, **options)[0]

    def table(self) -> Any:
        """The table, where the block is an embedding."""
        return self._run("table")[0]

    def _run(self, method: str, *arguments: Any, **options: Any) -> tuple[Any, set[Any]]:
        """Run a method of the block; also return the names of its linear maps."""
        names = set()

        def adapt(call: Any, arguments: Any, options: Any, at: Any) -> Any:
            y = call(*arguments, **options)
            if not isinstance(at.module, Linear) or at.method_name != "__call__":
                return y
            names.add(at.module.name)
            if at.module.name not in self.targets:
                return y
            return y + _change(at.module, *arguments, adapter=self)

        # In the adapter's own scope the block's parameters keep their names, and names that the
        # adapter took are free again. `nn.share_scope` does this too, but not under `nn.remat`.
        assert self.scope is not None
        block = fresh(self.block).clone(parent=self.scope.rewound())
        with nn.intercept_methods(adapt):
            return getattr(block, method)(*arguments, **options), names

    def _check_targets(self, names: set[Any]) -> None:
        for target in self.targets:
            if target not in names:
                near = difflib.get_close_matches(target, sorted(names), n=1)
                hint = f"did you mean `{near[0]}`?" if near else f"it has {sorted(names)}."
                raise ValueError(
                    f"targets={self.targets}: no linear map of {type(self.block).__name__} is "
                    f"named `{target}`; {hint}"
                )


@typed
def _change(linear: Linear, x: Array, *, adapter: LoRA) -> Array:
    """Compute the update of the result of `linear`; the product $A B$ is never formed."""
    leading, consumed = x.shape[: -linear.axes], x.shape[-linear.axes :]
    fan_in, fan_out = math.prod(consumed), math.prod(linear.features)

    def draw(key: Key[Array, ""]) -> Array:
        matrix = adapter.a_init(key, (fan_in, adapter.rank), linear.param_dtype)
        return matrix.reshape(*consumed, adapter.rank)

    a = linear.param("lora_a", draw)
    b_shape = (adapter.rank, *linear.features)
    b = linear.param("lora_b", nn.initializers.zeros, b_shape, linear.param_dtype)
    x, a, b = promote_dtype(x, a, b, dtype=linear.dtype)
    y = x.reshape(-1, fan_in) @ a.reshape(fan_in, adapter.rank) @ b.reshape(adapter.rank, fan_out)
    return (adapter.alpha / adapter.rank) * y.reshape(*leading, *linear.features)
