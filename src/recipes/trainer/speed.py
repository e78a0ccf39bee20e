"""Speed of training: tokens per second, and the share of the hardware's arithmetic."""

from typing import Any


class Speed:
    r"""Function of a hook that adds the speed since its last call to a row.

    `tokens_per_second` counts targets, in the time of training steps alone. `mfu`, the model FLOPs
    utilisation, is the share of the devices' arithmetic that the model needs for them: work that is
    done twice to save memory does not count.

    Args:
        flops: Operations of forward and backward pass for one token; None for no `mfu`.
        peak: Operations per second that all devices can do at most; None for no `mfu`.
        tokens: Targets before the first call, as the trainer counts them.
        seconds: Seconds before it.

    Example:
        >>> speed = Speed(flops=2e6, peak=1e9)
        >>> speed(None, {"tokens": 400, "seconds": 2.0})
        {'tokens_per_second': 200.0, 'mfu': 0.4}

    References:
        Chowdhery et al., PaLM, 2022, arXiv:2204.02311, appendix B.
    """

    def __init__(
        self,
        *,
        flops: float | None = None,
        peak: float | None = None,
        tokens: int = 0,
        seconds: float = 0.0,
    ):
        self._share = flops / peak if flops and peak else None
        self._before = tokens, seconds

    def __call__(self, trainer: Any, row: dict[str, Any]) -> dict[str, float]:
        """The speed since the last call; nothing where no time has passed."""
        del trainer
        now = row["tokens"], row["seconds"]
        tokens, seconds = (new - old for new, old in zip(now, self._before, strict=True))
        self._before = now
        if seconds <= 0.0:
            return {}
        rate = tokens / seconds
        return {"tokens_per_second": rate} | ({"mfu": rate * self._share} if self._share else {})
