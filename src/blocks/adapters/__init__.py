"""Adapters: small learned changes to a pretrained model."""

from blocks.adapters.lora import LoRA
from blocks.adapters.merge import label_lora, merge_lora
from blocks.adapters.plain import Plain

__all__ = [
    "LoRA",
    "Plain",
    "label_lora",
    "merge_lora",
]
