"""`ProjectedHead`: a head behind one more linear map."""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp

from blocks.context import Context
from blocks.core.block import Block
from blocks.core.bounds import Size
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.slots import Head
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.linear import Linear


class ProjectedHead(Block, kw_only=True):
    r"""Head behind a linear map and an activation: $z = \mathrm{head}(\phi(x W + b))$.

    It takes a model to the narrow width of a `FactorizedEmbedding`, to which its head is tied, as
    in OPT-350M; or gives a head one more layer, as ELECTRA's discriminator has.

    Attributes:
        head: head on the mapped vectors.
        features: width of the mapped vectors; None takes that of the input.
        activation: the function $\phi$; None for none.
        use_bias: learn the bias $b$.
        dtype: dtype of the product; None infers it.
        param_dtype: dtype of the parameters of $W$.
        kernel_init: initialiser of $W$.

    Raises:
        ValueError: a width below 1.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import LMHead
        >>> from blocks.heads import ProjectedHead
        >>> head = ProjectedHead(head=LMHead(tied=True), features=4, use_bias=False)
        >>> x, table = jnp.ones((1, 3, 8)), jnp.ones((65, 4))
        >>> head.init_with_output(jax.random.key(0), x, table=table)[0].shape
        (1, 3, 65)

        ```

    References:
        Zhang et al., OPT, 2022, arXiv:2205.01068.
        Clark et al., ELECTRA, 2020, arXiv:2003.10555.
    """

    head: Head
    features: Size | None = None
    activation: Callable[[Array], Array] | None = None
    use_bias: bool = True
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        context: Context | None = None,
        deterministic: bool = True,
        table: Float[Array, "vocab width"] | None = None,
    ) -> Float[Array, "batch ..."]:
        """Compute the output of the head; `table` is used if it is tied."""
        h = Linear(
            features=(self.features or x.shape[-1],),
            use_bias=self.use_bias,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            kernel_init=self.kernel_init,
            name="dense",
        )(x)
        h = h if self.activation is None else self.activation(h)
        tied = {} if table is None else {"table": table}
        return self.head(h, context, deterministic, **tied)
