"""Models: containers of the blocks."""

from blocks.models.causal_lm import CausalLM
from blocks.models.encoder import Encoder
from blocks.models.encoder_decoder import EncoderDecoder
from blocks.models.multi_token import MultiTokenLM
from blocks.models.two_towers import TwoTowers

__all__ = [
    "CausalLM",
    "Encoder",
    "EncoderDecoder",
    "MultiTokenLM",
    "TwoTowers",
]
