"""Default platform of JAX, by which blocks choose between equivalent computations."""

import jax
from jax.extend.backend import get_backend


def platform() -> str:
    """JAX's default platform; `cuda` is distinguished from other GPUs."""
    device = getattr(jax.config, "jax_default_device", None)
    client = get_backend(device) if device is None or isinstance(device, str) else device.client
    return "cuda" if "cuda" in client.platform_version.lower() else client.platform
