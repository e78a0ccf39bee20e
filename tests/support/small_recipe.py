"""A small text, and the command line that trains a small model: what the recipe's tests run."""

TEXT = "the cat sat on the mat and the dog sat on the log. " * 60
SMALL = [
    *("train", "quick", "--model.num-layers", "1", "--model.num-heads", "2"),
    *("--model.features", "16", "--model.context", "16", "--batch-size", "4"),
    *("--model.dropout-rate", "0.1", "--trainer.eval-every", "20"),
]
