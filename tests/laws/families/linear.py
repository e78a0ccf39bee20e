"""Linear maps."""

import numpy as np
from laws.case import EMBED, Case, vectors
from laws.references import Params, reference

from blocks import Linear

CASES = [
    Case("linear", Linear(features=(3, 2)), vectors, EMBED * 6 + 6, shared=False),
]


@reference.register
def _(block: Linear, params: Params, x: np.ndarray) -> np.ndarray:
    return np.tensordot(x, params["kernel"], axes=1) + params["bias"]
