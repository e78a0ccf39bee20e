"""Introspection: hidden states, attention weights, costs of a model's parts, differences."""

from blocks.introspection.collected import attention_weights, hidden_states
from blocks.introspection.difference import Change, Diff, diff
from blocks.introspection.summary import Cost, Summary, summary

__all__ = [
    "Change",
    "Cost",
    "Diff",
    "Summary",
    "attention_weights",
    "diff",
    "hidden_states",
    "summary",
]
