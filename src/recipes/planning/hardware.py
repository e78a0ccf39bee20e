"""Figures of hardware, from the data sheets of its vendors."""

from dataclasses import dataclass

from recipes.errors import RecipeError

GB, T = 10**9, 10**12


@dataclass(frozen=True)
class Hardware:
    """What one device can do at most.

    Attributes:
        name: What it is.
        flops: Multiplications and additions per second in matrix products, by precision.
        memory: Bytes of its memory.
        bandwidth: Bytes per second between its memory and its units.
        network: Bytes per second that it sends to its neighbours, and receives at the same time.
    """

    name: str
    flops: dict[str, float]
    memory: float
    bandwidth: float
    network: float


HARDWARE = {
    # NVIDIA A100 Tensor Core GPU data sheet, SXM of 80 GB, without sparsity; TF32 for float32, as
    # XLA computes by default; NVLink 600 GB/s in both directions together.
    "a100": Hardware(
        "NVIDIA A100 SXM",
        {"bfloat16": 312 * T, "float32": 156 * T},
        80 * GB,
        2039 * GB,
        300 * GB,
    ),
    # NVIDIA H100 Tensor Core GPU data sheet, SXM: half of the figures "with sparsity", and TF32 as
    # above; NVLink 900 GB/s in both directions together.
    "h100": Hardware(
        "NVIDIA H100 SXM",
        {"bfloat16": 989.5 * T, "float32": 494.5 * T},
        80 * GB,
        3350 * GB,
        450 * GB,
    ),
    # NVIDIA H200 Tensor Core GPU data sheet, SXM, read in the same way.
    "h200": Hardware(
        "NVIDIA H200 SXM",
        {"bfloat16": 989.5 * T, "float32": 494.5 * T},
        141 * GB,
        4800 * GB,
        450 * GB,
    ),
    # Google Cloud, TPU v5p: 459 TFLOP/s in bfloat16, which XLA also multiplies float32 in by
    # default; interchip interconnect 4,800 Gbit/s in all directions together.
    "tpu-v5p": Hardware(
        "Google TPU v5p",
        {"bfloat16": 459 * T, "float32": 459 * T},
        95 * GB,
        2765 * GB,
        300 * GB,
    ),
    # Intel Core i7-12700: 8 performance cores of 2.1 GHz, each 32 float32 operations per cycle with
    # AVX2; 128 GB and 76.8 GB/s at most. Its "network" is the same memory.
    "cpu": Hardware(
        "Intel Core i7-12700",
        {"bfloat16": 0.54 * T, "float32": 0.54 * T},
        128 * GB,
        76.8 * GB,
        76.8 * GB,
    ),
}


def hardware(name: str) -> Hardware:
    """Look up the figures of a device.

    Raises:
        RecipeError: An unknown name; those that are known are listed.
    """
    if name not in HARDWARE:
        *most, last = HARDWARE
        raise RecipeError(
            f"There are no figures for the hardware {name!r}.", f"Use {', '.join(most)} or {last}."
        )
    return HARDWARE[name]
