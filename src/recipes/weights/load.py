"""Loading of published models: a folder or a name on the hub becomes a model and its parameters."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax

from blocks import CausalLM, Encoder, Stack, find, override
from blocks.core.parameters import parameter_shapes
from blocks.core.typing import Dtype
from recipes.errors import RecipeError
from recipes.trainer.placement import place_on
from recipes.weights.config import Config
from recipes.weights.families import Family, family_of
from recipes.weights.folder import CONFIG, read_json, tensors_of
from recipes.weights.hub import folder_of
from recipes.weights.parameters import read_parameters
from recipes.weights.sentences import MODULES, sentence_head
from recipes.weights.tokenizer import PublishedTokenizer, tokenizer_of


class Loaded(NamedTuple):
    """A published model.

    Attributes:
        model: The model, as a value.
        params: Its parameters.
        tokenizer: Its tokenizer; None if the folder has none.
    """

    model: nn.Module
    params: dict[str, Any]
    tokenizer: PublishedTokenizer | None


def load(
    source: str | Path,
    *,
    revision: str | None = None,
    dtype: Dtype | None = None,
    mesh: jax.sharding.Mesh | None = None,
    scan: bool = False,
    tokenizer: bool = True,
) -> Loaded:
    """Load a model from a folder with `config.json` and safetensors, or by its name on the hub.

    Args:
        source: The folder, or a name such as `openai-community/gpt2`.
        revision: Branch, tag or commit on the hub; None for the newest.
        dtype: Dtype of the parameters; None keeps each tensor's own.
        mesh: Devices over which parameters are sharded; None for the default device.
        scan: Load the layers for a scan, which compiles one of them.
        tokenizer: Load `tokenizer.json` if there is one.

    Raises:
        RecipeError: No such folder, a family or a field of the configuration that is not known,
            or weights that are not those of the model.
    """
    folder = folder_of(source, revision)
    model, family, config = model_in(folder, read_json(folder / CONFIG), scan=scan)
    tensors = tensors_of(folder)
    shapes = parameter_shapes(model, *family.inputs(config))
    names = family.names(config)
    place = place_on(mesh)
    params = read_parameters(shapes, names, tensors, family, place, dtype)
    return Loaded(model, params, tokenizer_of(folder) if tokenizer else None)


def model_in(
    folder: Path | None, fields: dict[str, Any], *, scan: bool = False
) -> tuple[nn.Module, Family, Config]:
    """Build the model of a folder: that of its configuration, which may be a sentence encoder.

    Raises:
        RecipeError: A family or a field that is not known, or a pooling.
    """
    model, family, config = model_of(fields, scan=scan)
    head = None if folder is None else sentence_head(folder)
    if head is None:
        return model, family, config
    if not isinstance(model, Encoder | CausalLM):
        raise RecipeError(
            f"{MODULES} asks for a sentence encoder, and {type(model).__name__} cannot be one.",
            f"Remove {MODULES} to load the model alone.",
        )
    encoder = Encoder(embed=model.embed, stack=model.stack, norm=model.norm, head=head)
    others = (*family.aside, "*pooler.*", "lm_head.*")
    return encoder, dataclasses.replace(family, aside=others), config


def model_of(fields: dict[str, Any], *, scan: bool = False) -> tuple[nn.Module, Family, Config]:
    """Build the model of a configuration, as a value.

    Raises:
        RecipeError: A family or a field that is not known.
    """
    config = Config(fields)
    family = family_of(config)
    config.fill(family.defaults)
    model = family.build(config)
    family.names(config)
    config.finish()
    if scan and find(model, Stack):
        model = override(model, Stack, scan=True)
    return model, family, config
