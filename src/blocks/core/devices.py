"""The kind of device that calls run on, which decides on forms of one result."""

import jax
from jax.extend.backend import get_backend


def platform() -> str:
    """JAX's default platform; `cuda` is distinguished from other GPUs."""
    device = getattr(jax.config, "jax_default_device", None)
    client = get_backend(device) if device is None or isinstance(device, str) else device.client
    return "cuda" if "cuda" in client.platform_version.lower() else client.platform
