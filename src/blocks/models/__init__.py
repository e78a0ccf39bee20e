"""Models: containers of the blocks."""

from blocks.models.causal_lm import CausalLM
from blocks.models.encoder import Encoder
from blocks.models.encoder_decoder import EncoderDecoder
from blocks.models.multi_token import MultiTokenLM

__all__ = [
    "CausalLM",
    "Encoder",
    "EncoderDecoder",
    "MultiTokenLM",
]
