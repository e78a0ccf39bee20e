"""Published weights: configurations, names and tensors, read and written."""

from recipes.weights.families import Family, register
from recipes.weights.load import Loaded, load
from recipes.weights.rules import Each, Part, Tensor
from recipes.weights.save import save

__all__ = ["Each", "Family", "Loaded", "Part", "Tensor", "load", "register", "save"]
