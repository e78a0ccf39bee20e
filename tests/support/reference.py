"""The reference library's side of a row: its model with random weights, and what it gives."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from reference_rows import Row, inputs_of, prompts_of, random_tensor, real

# Tensors that are kept in files and are no parameters: what they hold is part of the computation.
GENERATING = ("causal", "seq2seq", "captions", "speech")
BUFFERS = ("inv_freq", "act_fn.beta", "act_fn.eps")


def open_reference(row: Row, folder: Path) -> tuple[Any, dict[str, np.ndarray]]:
    """Save the reference's model with weights that their names decide, and load it again."""
    stored = importlib.import_module("safetensors.numpy")
    _transformers().logging.set_verbosity_error()
    kind = getattr(_transformers(), row.reference)
    _torch().set_num_threads(1)  # More would wait for each other, at sizes as small as these.
    _torch().manual_seed(0)
    config = kind.config_class(**row.config)
    model = kind(config)
    # What is never learned, such as sinusoids, stays as the reference computes it.
    frozen = {name for name, value in model.named_parameters() if not value.requires_grad}
    model.save_pretrained(folder, max_shard_size="10GB")
    path = folder / "model.safetensors"
    tensors = {
        name: random_tensor(name, array.shape)
        if np.issubdtype(array.dtype, np.floating)
        and not name.endswith(BUFFERS)
        and name not in frozen
        else array
        for name, array in stored.load_file(path).items()
    }
    tensors |= {name: random_tensor(name, shape) for name, shape in row.untied}
    stored.save_file(tensors, path, {"format": "pt"})
    model = kind.from_pretrained(
        folder, attn_implementation=row.attention, dtype=_torch().float32
    ).eval()
    return model, tensors


def reference_outputs(row: Row, model: Any, *, tokens: int) -> dict[str, np.ndarray]:
    """Outputs on the row's inputs, and a greedy continuation of its prompts."""
    vocab = getattr(model.config, "vocab_size", 0)
    inputs = {name: _torch().tensor(array) for name, array in inputs_of(row, vocab).items()}
    with _torch().no_grad():
        floats = {n: x.to(model.dtype) if x.is_floating_point() else x for n, x in inputs.items()}
        found = {"output": getattr(model(**floats), row.output).float().numpy()}
        if tokens and row.generates and row.kind in GENERATING:
            found["continued"] = continued(row, model, inputs, tokens)
    return found


def continued(row: Row, model: Any, inputs: dict[str, Any], tokens: int) -> np.ndarray:
    """Greedy continuation of two prompts of different lengths, padded on the left, as one batch."""
    options = {
        "max_new_tokens": tokens, "min_new_tokens": tokens, "do_sample": False, "num_beams": 1,
        "pad_token_id": 0, "eos_token_id": None, "use_cache": True, "no_repeat_ngram_size": 0,
        "repetition_penalty": 1.0,
    }  # fmt: skip
    if row.kind == "seq2seq":
        start = _torch().full((2, 1), row.config["decoder_start_token_id"])
        given = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        made = model.generate(**given, decoder_input_ids=start, **options)
        return made[:, 1:].numpy()
    if row.kind == "captions":
        start = _torch().full((2, 1), row.config["decoder_start_token_id"])
        made = model.generate(inputs["pixel_values"], decoder_input_ids=start, **options)
        return made[:, 1:].numpy()
    if row.kind == "speech":
        start = _torch().full((2, 1), row.config["decoder_start_token_id"])
        sound = next(value for name, value in inputs.items() if name.startswith("input_"))
        made = model.generate(sound, decoder_input_ids=start, **options)
        return made[:, -tokens:].numpy()  # Whisper leaves the start out
    prompts = prompts_of(row, model.config.vocab_size)
    if not row.padded:
        made = [
            model.generate(input_ids=_torch().tensor([p]), **options)[0, len(p) :] for p in prompts
        ]
        return _torch().stack(made).numpy()
    longest = max(map(len, prompts))
    ids = _torch().tensor([[0] * (longest - len(p)) + p for p in prompts])
    mask = _torch().tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
    made = model.generate(input_ids=ids, attention_mask=mask, **options)
    return made[:, longest:].numpy()


def in_bfloat16(model: Any) -> Any:
    """Round the model; its fast experts take no sizes as small as these in bfloat16."""
    model.set_experts_implementation("eager")
    return model.bfloat16()


def nudged(model: Any) -> Any:
    """Change each weight by the last digit of float32, up or down."""
    torch = _torch()
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            up_or_down = 2 * torch.randint(0, 2, weight.shape, generator=draw) - 1
            weight.mul_(1.0 + 2.0**-23 * up_or_down)
    return model


def logits_of(kind: str, folder: Path, tokens: np.ndarray) -> np.ndarray:
    """Logits of a folder that the reference library loads, which must name all of its weights."""
    model, report = getattr(_transformers(), kind).from_pretrained(
        folder, output_loading_info=True, dtype=_torch().float32
    )
    assert not {*report["missing_keys"], *report["unexpected_keys"]}, report
    with _torch().no_grad():
        return model.eval()(input_ids=_torch().tensor(tokens)).logits.numpy()


def reference_gradients(row: Row, model: Any) -> dict[str, np.ndarray]:
    """Gradients of a loss by all that is learned: of the next token, or the mean of squares."""
    inputs = inputs_of(row, getattr(model.config, "vocab_size", 0))
    inputs = {name: _torch().tensor(array) for name, array in inputs.items()}
    output = getattr(model(**inputs), row.output)
    if row.kind == "causal":
        labels = inputs["input_ids"][:, 1:].flatten()
        loss = _torch().nn.functional.cross_entropy(output[:, :-1].flatten(0, 1), labels)
    else:
        loss = output[real(row, tuple(output.shape))].square().mean()
    loss.backward()
    return {
        name: value.grad.numpy()
        for name, value in model.named_parameters()
        if value.grad is not None and value.numel()
    }


def _torch() -> Any:
    return importlib.import_module("torch")


def _transformers() -> Any:
    return importlib.import_module("transformers")
