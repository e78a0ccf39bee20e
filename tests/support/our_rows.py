"""Our side of a row: the folder loaded, and what the model gives."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from reference_rows import GOLDEN, Row, inputs_of, prompts_of, random_tensor

from blocks import Context
from recipes.generation.generate import generate
from recipes.generation.sampling import GREEDY
from recipes.weights import safetensors


def write_folder(row: Row, folder: Path) -> dict[str, np.ndarray]:
    """Write the row's folder as the reference did; return the golden file's arrays."""
    with np.load(GOLDEN / f"{row.name}.npz") as stored:
        golden = dict(stored)
    shapes = json.loads(str(golden.pop("shapes")))
    tensors = {name: random_tensor(name, tuple(shape)) for name, shape in shapes.items()}
    safetensors.write(folder / "model.safetensors", tensors)
    (folder / "config.json").write_text(str(golden.pop("config")))
    return golden


def our_outputs(row: Row, model: Any, params: Any, vocab: int) -> np.ndarray:
    """The model's output on the row's inputs."""
    inputs = {name: jnp.asarray(array) for name, array in inputs_of(row, vocab).items()}
    variables = {"params": params}
    valid = inputs.get("attention_mask", jnp.ones((1, 1))) == 1
    if row.kind == "causal":
        return np.asarray(jax.jit(model.apply)(variables, inputs["input_ids"]))
    if row.kind == "encoder":
        context = Context(valid=valid, token_type_ids=inputs.get("token_type_ids"))
        return np.asarray(jax.jit(model.apply)(variables, inputs["input_ids"], context))
    if row.kind == "seq2seq":
        context = Context(memory_valid=valid)
        target = inputs["decoder_input_ids"]
        return np.asarray(jax.jit(model.apply)(variables, target, inputs["input_ids"], context))
    if row.kind == "vision":  # channels last, where the reference has them first
        images = jnp.moveaxis(inputs["pixel_values"], 1, -1)
        return np.asarray(jax.jit(model.apply)(variables, images))
    if row.kind == "towers":
        images = jnp.moveaxis(inputs["pixel_values"], 1, -1)
        ids = inputs["input_ids"]
        return np.asarray(jax.jit(model.apply)(variables, ids, images, Context(valid=valid)))
    if row.kind == "captions":
        images, target = jnp.moveaxis(inputs["pixel_values"], 1, -1), inputs["decoder_input_ids"]
        return np.asarray(jax.jit(model.apply)(variables, target, images))
    if row.kind == "sound":
        context = Context(valid=jnp.asarray(real_steps(row))) if row.masked else None
        return np.asarray(jax.jit(model.apply)(variables, sound_of(row, vocab), context))
    if row.kind == "speech":
        sound, target = sound_of(row, vocab), inputs["decoder_input_ids"]
        return np.asarray(jax.jit(model.apply)(variables, target, sound))
    raise NotImplementedError(row.kind)


def sound_of(row: Row, vocab: int) -> jax.Array:
    """Sound as our models take it: time before frequencies, of which samples have one."""
    inputs = inputs_of(row, vocab)
    if "input_values" in inputs:
        return jnp.asarray(inputs["input_values"])[..., None]
    return jnp.swapaxes(jnp.asarray(inputs["input_features"]), 1, 2)


def real_steps(row: Row) -> np.ndarray:
    """Which steps of convolutions are of real samples alone."""
    mask = inputs_of(row, 64)["attention_mask"].astype(bool)
    for width, stride in zip(row.config["conv_kernel"], row.config["conv_stride"], strict=True):
        windows = np.lib.stride_tricks.sliding_window_view(mask, width, 1)
        mask = np.asarray(windows.all(axis=2))[:, ::stride]
    return mask


def difference(
    row: Row, ours: np.ndarray, theirs: np.ndarray, reduce: Callable[..., Any] = np.max
) -> float:
    """Largest difference where tokens are real, or another summary of all of them."""
    if row.kind == "encoder" and ours.shape[:2] == inputs_of(row, 64)["attention_mask"].shape:
        real = inputs_of(row, 64)["attention_mask"] == 1
        ours, theirs = ours[real], theirs[real]
    if row.kind == "sound" and row.masked:
        ours, theirs = ours[real_steps(row)], theirs[real_steps(row)]
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    return float(reduce(np.abs(ours - theirs)))


def our_continuation(row: Row, model: Any, params: Any, vocab: int, tokens: int) -> np.ndarray:
    """Greedy continuation of the row's prompts."""
    source: dict[str, Any] = {}
    if row.kind == "causal":
        prompts = prompts_of(row, vocab)
    else:
        prompts = [[row.config["decoder_start_token_id"]]] * 2
    if row.kind == "seq2seq":
        inputs = inputs_of(row, vocab)
        source = {"source": inputs["input_ids"], "source_valid": inputs["attention_mask"] == 1}
    if row.kind == "captions":
        pixels = jnp.asarray(inputs_of(row, vocab)["pixel_values"])
        source = {"source": jnp.moveaxis(pixels, 1, -1)}
    if row.kind == "speech":
        source = {"source": sound_of(row, vocab)}
    chunks = generate(model, params, prompts, tokens=tokens, sampling=GREEDY, **source)
    return np.concatenate(list(chunks), axis=1)
