"""ModernBERT with classes: one vector of a whole text, through a layer, and scores of its classes.

References:
    Warner et al., Smarter, Better, Faster, Longer: A Modern Bidirectional Encoder, 2024,
    arXiv:2412.13663.
"""

from blocks import ClassifierHead, Encoder, MeanPool, override
from blocks.heads import DensePool, FirstToken
from recipes.architectures import modernbert
from recipes.architectures.tasks import labels
from recipes.weights.config import Config
from recipes.weights.families import register


def build(config: Config) -> Encoder:
    """Build the model with classes of a whole text."""
    pools = {"cls": FirstToken(), "mean": MeanPool()}
    pool = pools[config.only("classifier_pooling", *pools)]
    head = ClassifierHead(
        num_classes=labels(config),
        pool=DensePool(pool=pool, **modernbert.dense(config)),
        dropout_rate=config.get("classifier_dropout", 0.0),
    )
    return override(modernbert.body(config), Encoder, head=head)


HEAD = {
    "head/pool/dense": "head.dense",
    "head/pool/norm": "head.norm",
    "head/classes": "classifier",
}
register("ModernBertForSequenceClassification", modernbert.family(build, "model.", HEAD))
