"""Introspection: hidden states, attention weights, and costs of a model's parts."""

from blocks.introspection.collected import attention_weights, hidden_states
from blocks.introspection.summary import Cost, Summary, summary

__all__ = [
    "Cost",
    "Summary",
    "attention_weights",
    "hidden_states",
    "summary",
]
