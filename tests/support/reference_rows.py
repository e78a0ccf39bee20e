"""Rows of published architectures: what is compared with the reference, and on which inputs.

A row's files are made in an environment with PyTorch by `make_golden.py`; the default tests need
them alone.
"""

import importlib
import pkgutil
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

GOLDEN = Path(__file__).parents[1] / "recipes" / "architectures" / "golden"
SEQ, SHORT = 12, 7
SAMPLES = 400  # of sound
# Tokens that a greedy continuation has: in the golden files, and where the reference is at hand.
GOLDEN_TOKENS, LIVE_TOKENS = 8, 64


@dataclass(frozen=True, kw_only=True)
class Row:
    """A published architecture at a tiny size, with every option on.

    Attributes:
        name: Name of the row.
        number: Number in the list of architectures.
        reference: Class in the reference library.
        config: Fields of its configuration.
        kind: What is called: `causal`, `encoder`, `seq2seq`, `vision`,
            `towers`, `captions`, `sound`, or `speech`.
        output: Field of the reference's result that is compared.
        generates: Whether a greedy continuation is compared.
        special: Arguments of the reference's call besides, such as token types.
        attention: The reference's implementation of attention.
        padded: Whether the reference continues prompts of different lengths as one padded batch;
            False where its padding changes what it computes.
        masked: Whether the second text or sound of an encoder or a tower is padded, and masked.
        length: Number of tokens of a text.
        untied: Names and shapes of tensors that published files have, and that the reference does
            not save as it ties them to others unless a file has them.
    """

    name: str
    number: int
    reference: str
    config: dict[str, Any]
    kind: str = "causal"
    output: str = "logits"
    generates: bool = True
    special: tuple[str, ...] = field(default=())
    attention: str = "eager"
    padded: bool = True
    masked: bool = True
    length: int = SEQ
    untied: tuple[tuple[str, tuple[int, ...]], ...] = ()


def all_rows() -> dict[str, Row]:
    """All rows, by name."""
    package = importlib.import_module("recipes_rows")
    rows: dict[str, Row] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        for row in importlib.import_module(f"recipes_rows.{module}").ROWS:
            assert row.name not in rows, row.name
            rows[row.name] = row
    return rows


def family_of(row: Row) -> str:
    """The reference's name of a row's family, such as `Llama`."""
    return re.split(r"For|Model|MTModel|LMHead|VisionModel|TextModel", row.reference)[0]


def random_tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A tensor of random numbers that its name decides, of about unit gain for a matrix."""
    draw = np.random.default_rng(zlib.crc32(name.encode()))
    noise = draw.standard_normal(shape)
    if len(shape) >= 2:
        return (1.5 * noise / np.sqrt(shape[-1])).astype(np.float32)
    center = 1.0 if name.endswith("weight") else 0.0
    return np.asarray(center + 0.3 * noise, np.float32)


def inputs_of(row: Row, vocab_size: int) -> dict[str, np.ndarray]:
    """Inputs by the reference's names: the second of two rows is shorter, and padded."""
    draw = np.random.default_rng(zlib.crc32(row.name.encode()))
    if row.kind == "vision":
        size = row.config["image_size"]
        return {"pixel_values": draw.standard_normal((2, 3, size, size)).astype(np.float32)}
    if row.kind == "towers":
        text, size = row.config["text_config"], row.config["vision_config"]["image_size"]
        images = draw.standard_normal((2, 3, size, size)).astype(np.float32)
        mask = np.ones((2, SEQ), np.int64)
        mask[1, SHORT:] = int(not row.masked)
        ids = draw.integers(5, text["vocab_size"], (2, SEQ))
        return {"input_ids": ids, "attention_mask": mask, "pixel_values": images}
    if row.kind == "captions":
        size, vocab_size = row.config["encoder"]["image_size"], row.config["decoder"]["vocab_size"]
        images = draw.standard_normal((2, 3, size, size)).astype(np.float32)
        return {"pixel_values": images, "decoder_input_ids": draw.integers(5, vocab_size, (2, 6))}
    if "decoder" in row.config:
        vocab_size = row.config["decoder"]["vocab_size"]
    low = 5  # Below stand the usual tokens with a meaning.
    ids = draw.integers(low, vocab_size, (2, row.length))
    mask = np.ones((2, row.length), np.int64)
    if row.kind == "sound":
        mask = np.ones((2, SAMPLES), np.int64)
        mask[1, SAMPLES // 2 :] = 0
        samples = draw.standard_normal((2, SAMPLES)).astype(np.float32)
        return {"input_values": samples} | ({"attention_mask": mask} if row.masked else {})
    if row.kind == "speech" and "num_mel_bins" not in row.config:
        samples = draw.standard_normal((2, 6 * SAMPLES)).astype(np.float32)
        target = draw.integers(low, vocab_size, (2, 6))
        return {"input_values": samples, "decoder_input_ids": target}
    if row.kind == "speech":
        features = row.config["num_mel_bins"], 2 * row.config["max_source_positions"]
        sound = draw.standard_normal((2, *features)).astype(np.float32)
        target = draw.integers(low, vocab_size, (2, 6))
        return {"input_features": sound, "decoder_input_ids": target}
    if row.kind == "causal":
        return {"input_ids": ids}
    mask[1, SHORT:] = int(not row.masked)
    if row.kind == "encoder":
        found = {"input_ids": ids, "attention_mask": mask}
        if "token_type_ids" in row.special:
            found["token_type_ids"] = np.minimum(np.arange(row.length) // 5, 1)[None].repeat(2, 0)
        return found
    if row.kind == "seq2seq":
        target = draw.integers(low, vocab_size, (2, 6))
        return {"input_ids": ids, "attention_mask": mask, "decoder_input_ids": target}
    raise NotImplementedError(row.kind)


def real(row: Row, shape: tuple[int, ...]) -> Any:
    """Index of what is real in an output: an encoder has padding where it has one for a token."""
    if row.kind == "sound" and row.masked:
        return np.nonzero(real_steps(row))
    mask = inputs_of(row, 64)["attention_mask"] == 1 if row.kind == "encoder" else np.empty(0)
    return np.nonzero(mask) if shape[:2] == mask.shape else ...


def real_steps(row: Row) -> np.ndarray:
    """Which steps of convolutions are of real samples alone."""
    mask = inputs_of(row, 64)["attention_mask"].astype(bool)
    for width, stride in zip(row.config["conv_kernel"], row.config["conv_stride"], strict=True):
        windows = np.lib.stride_tricks.sliding_window_view(mask, width, 1)
        mask = np.asarray(windows.all(axis=2))[:, ::stride]
    return mask


def prompts_of(row: Row, vocab_size: int) -> list[list[int]]:
    """Prompts of two lengths to continue."""
    draw = np.random.default_rng(zlib.crc32(row.name.encode()) + 1)
    return [draw.integers(5, vocab_size, length).tolist() for length in (9, 4)]
