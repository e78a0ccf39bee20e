"""What encoders of BERT's kind with a narrow embedding share: ELECTRA, ALBERT and RoFormer."""

from blocks import (
    Encoder,
    FactorizedEmbedding,
    MaskedLMHead,
    TokenEmbedding,
    TokenTypes,
    find,
    override,
)
from recipes.weights.config import Config
from recipes.weights.rules import Names


def narrowed(model: Encoder, config: Config, *, always: bool = False) -> Encoder:
    """Give a model an embedding of its own width, `embedding_size`, and tie its head to that.

    Args:
        model: A model whose embedding is as wide as its layers.
        config: The configuration.
        always: Map the embedding even where both widths are the same.
    """
    features = config["hidden_size"]
    width = config.get("embedding_size", features)
    if width == features and not always:
        return model
    for kind in (TokenEmbedding, TokenTypes, MaskedLMHead):
        model = override(model, kind, features=width)
    embed = find(model, TokenEmbedding)["embed"]
    return model.copy(embed=FactorizedEmbedding(embed=embed, features=features))


def names_within(names: Names, model: Encoder, projection: str) -> Names:
    """Name the weights of a model that may be `narrowed`.

    Args:
        names: Names of the model that is not.
        model: The model.
        projection: The reference's name of the map from the embedding's width.
    """
    if not find(model, FactorizedEmbedding):
        return names
    inner = {name.replace("embed/", "embed/embed/", 1): theirs for name, theirs in names.items()}
    return inner | {"embed/projection": projection}
