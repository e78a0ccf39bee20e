"""Trains a GPT in PyTorch and prints how fast it went.

A process of its own, started by `nanogpt_torch.py` in an environment that has PyTorch and nothing
of this project. It is what a PyTorch user writes by hand: the fused attention and the fused
optimiser of the library, compiled and in bfloat16 where it is asked for, and nanoGPT's dropout.
"""

import argparse
import contextlib
import json
import math
import resource
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Causal self-attention with one projection for queries, keys and values."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.project_in = nn.Linear(width, 3 * width, bias=False)
        self.project_out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        projected = self.project_in(x).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = projected.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(
            query, key, value, is_causal=True, dropout_p=self.dropout if self.training else 0.0
        )
        mixed = self.project_out(mixed.transpose(1, 2).reshape(batch, length, width))
        return functional.dropout(mixed, self.dropout, self.training)


class Block(nn.Module):
    """Attention and a four times wider GELU layer, each after a norm and beside a residual."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width, bias=False)
        self.attention = Attention(width, heads, dropout)
        self.mlp_norm = nn.LayerNorm(width, bias=False)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width, bias=False),
            nn.GELU(),
            nn.Linear(4 * width, width, bias=False),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))
        return x + self.mlp(self.mlp_norm(x))


class GPT(nn.Module):
    """Token and position embeddings, blocks, a norm, and a head tied to the token embedding."""

    def __init__(
        self, vocab: int, context: int, layers: int, heads: int, width: int, dropout: float
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocab, width)
        self.positions = nn.Embedding(context, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.ndim >= 2:
                # What enters the residual stream starts smaller, as in GPT-2.
                into_stream = name.endswith(("project_out.weight", "mlp.2.weight"))
                deviation = 0.02 / math.sqrt(2 * layers) if into_stream else 0.02
                nn.init.normal_(parameter, std=deviation)

    def forward(self, tokens: Tensor, targets: Tensor) -> Tensor:
        x = self.dropout(self.tokens(tokens) + self.positions.weight[: tokens.shape[1]])
        for block in self.blocks:
            x = block(x)
        logits = functional.linear(self.norm(x), self.tokens.weight)
        return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


def learning_rate(step: int, optimizer: dict) -> float:
    """Linear warm-up, then a cosine down to the smallest rate."""
    high, low = optimizer["learning_rate"], optimizer["min_learning_rate"]
    warmup, end = optimizer["warmup_steps"], optimizer["decay_steps"]
    if step < warmup:
        return high * (step + 1) / (warmup + 1)
    progress = min(1.0, (step - warmup) / (end - warmup))
    return low + 0.5 * (1.0 + math.cos(math.pi * progress)) * (high - low)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=Path, required=True, help="the corpus as raw int64")
    parser.add_argument("--settings", type=json.loads, required=True, help="a recipe as JSON")
    parser.add_argument("--warmup", type=int, required=True, help="steps before the clock starts")
    parser.add_argument("--steps", type=int, required=True, help="steps under the clock")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--compile", action="store_true", help="compile the model")
    parser.add_argument("--autocast", action="store_true", help="products in bfloat16")
    parser.add_argument("--parts", action="store_true", help="split a batch as the recipe does")
    arguments = parser.parse_args()
    recipe = arguments.settings
    sizes, rates = recipe["model"], recipe["optimizer"]

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(recipe["seed"])
    tokens = torch.frombuffer(bytearray(arguments.tokens.read_bytes()), dtype=torch.int64)
    model = GPT(
        vocab=sizes["vocab_size"],
        context=sizes["context"],
        layers=sizes["num_layers"],
        heads=sizes["num_heads"],
        width=sizes["features"],
        dropout=sizes["dropout_rate"],
    )
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": rates["weight_decay"]},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=rates["learning_rate"],
        betas=(rates["beta1"], rates["beta2"]),
        eps=rates["epsilon"],
        fused=True,
    )
    forward = torch.compile(model) if arguments.compile else model
    nothing = contextlib.nullcontext()
    offsets = torch.arange(sizes["context"] + 1)
    parts = recipe["trainer"]["accumulate"] if arguments.parts else 1
    rows = recipe["batch_size"] // parts

    def step(number: int) -> Tensor:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(number, rates)
        optimizer.zero_grad(set_to_none=True)
        mean = torch.zeros(())
        for _ in range(parts):
            starts = torch.randint(len(tokens) - sizes["context"], (rows, 1))
            windows = tokens[starts + offsets]
            precision = torch.autocast("cpu", torch.bfloat16) if arguments.autocast else nothing
            with precision:
                loss = forward(windows[:, :-1], windows[:, 1:]) / parts
            loss.backward()
            mean += loss.detach()
        nn.utils.clip_grad_norm_(model.parameters(), rates["clip_norm"])
        optimizer.step()
        return mean

    for number in range(arguments.warmup):
        step(number)
    started = time.perf_counter()
    losses = [step(arguments.warmup + number) for number in range(arguments.steps)]
    loss = torch.stack(losses[-50:]).mean().item()
    seconds = time.perf_counter() - started
    print(
        json.dumps(
            {
                "steps_per_second": arguments.steps / seconds,
                "loss": loss,
                "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "parameters": sum(p.numel() for p in model.parameters()),
                "versions": f"PyTorch {torch.__version__}",
            }
        )
    )


if __name__ == "__main__":
    main()
