"""Our side of a row: the folder loaded, and what the model gives."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from reference_rows import GOLDEN, Row, inputs_of, prompts_of, random_tensor, real, real_steps

from blocks import Context
from recipes.data import safetensors
from recipes.generation.generate import generate
from recipes.generation.sampling import GREEDY


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
    return np.asarray(jax.jit(model.apply)({"params": params}, *arguments_of(row, vocab)))


def our_gradients(row: Row, model: Any, params: Any, vocab: int) -> Any:
    """Gradients of the row's loss, by the parameters."""

    def loss(params: Any) -> jax.Array:
        output = model.apply({"params": params}, *arguments_of(row, vocab))
        if row.kind == "causal":
            labels = jnp.asarray(inputs_of(row, vocab)["input_ids"])[:, 1:]
            return optax.softmax_cross_entropy_with_integer_labels(output[:, :-1], labels).mean()
        return jnp.square(output[real(row, output.shape)]).mean()

    return jax.jit(jax.grad(loss))(params)


def arguments_of(row: Row, vocab: int) -> tuple[Any, ...]:
    """Arguments of a call of our model with the row's inputs."""
    inputs = {name: jnp.asarray(array) for name, array in inputs_of(row, vocab).items()}
    valid = inputs.get("attention_mask", jnp.ones((1, 1))) == 1
    if row.kind == "causal":
        return (inputs["input_ids"],)
    if row.kind == "encoder":
        context = Context(valid=valid, token_type_ids=inputs.get("token_type_ids"))
        return inputs["input_ids"], context
    if row.kind == "seq2seq":
        return inputs["decoder_input_ids"], inputs["input_ids"], Context(memory_valid=valid)
    if row.kind == "sound":
        masked = Context(valid=jnp.asarray(real_steps(row))) if row.masked else None
        return sound_of(row, vocab), masked
    if row.kind == "speech":
        return inputs["decoder_input_ids"], sound_of(row, vocab)
    images = jnp.moveaxis(inputs["pixel_values"], 1, -1)  # the reference has channels first
    if row.kind == "vision":
        return (images,)
    if row.kind == "towers":
        return inputs["input_ids"], images, Context(valid=valid)
    if row.kind == "captions":
        return inputs["decoder_input_ids"], images
    raise NotImplementedError(row.kind)


def sound_of(row: Row, vocab: int) -> jax.Array:
    """Sound as our models take it: time before frequencies, of which samples have one."""
    inputs = inputs_of(row, vocab)
    if "input_values" in inputs:
        return jnp.asarray(inputs["input_values"])[..., None]
    return jnp.swapaxes(jnp.asarray(inputs["input_features"]), 1, 2)


def difference(
    row: Row, ours: np.ndarray, theirs: np.ndarray, reduce: Callable[..., Any] = np.max
) -> float:
    """Largest difference where tokens are real, or another summary of all of them."""
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    return float(reduce(np.abs(ours - theirs)[real(row, ours.shape)]))


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
