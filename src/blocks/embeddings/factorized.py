"""`FactorizedEmbedding`: a narrow table, and a map from it to the width of the model."""

import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from blocks.core.initializers import LECUN_NORMAL
from blocks.core.typing import Array, Float, Initializer
from blocks.embeddings.tokens import TokenEmbedding


class FactorizedEmbedding(TokenEmbedding, kw_only=True):
    r"""Token embedding whose table is a product of two smaller ones, $E = T W$.

    With a large vocabulary and a wide model it saves most parameters: there are `vocab_size * inner
    + inner * features`. A tied head uses the product. Other fields are those of `TokenEmbedding`.

    Attributes:
        inner: width of the narrow table $T$.
        kernel_init: initialiser of the map $W$.

    Raises:
        ValueError: fields as in `TokenEmbedding`, or an inner width below 1.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import FactorizedEmbedding
        >>> embed = FactorizedEmbedding(vocab_size=65, inner=4, features=16)
        >>> variables = embed.init(jax.random.key(0), jnp.array([[1, 2, 3]]))
        >>> jax.tree.map(jnp.shape, variables["params"])
        {'embedding': (65, 4), 'kernel': (4, 16)}

        ```

    References:
        Lan et al., ALBERT, 2019, arXiv:1909.11942, section 3.1.
    """

    inner: int
    kernel_init: Initializer = LECUN_NORMAL

    def check_fields(self) -> None:
        """Validate sizes."""
        super().check_fields()
        if self.inner < 1:
            raise ValueError(f"inner={self.inner} must be at least 1; ALBERT has 128.")

    def setup(self) -> None:
        """Create both tables."""
        super().setup()
        shape = (self.inner, self.features)
        self.kernel = self.param("kernel", self.kernel_init, shape, self.param_dtype)

    def table(self) -> Float[Array, "{self.vocab_size} {self.features}"]:
        """The product of the two tables, one row per token id."""
        return jnp.matmul(*promote_dtype(self.embedding, self.kernel, dtype=self.dtype))

    def _table_features(self) -> int:
        return self.inner

    def _vectors(self, tokens: Array) -> Array:
        table, kernel = promote_dtype(self.embedding, self.kernel, dtype=self.dtype)
        return table[tokens] @ kernel
