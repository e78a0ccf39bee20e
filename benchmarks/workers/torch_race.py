"""Trains nanoGPT's model for a CPU in PyTorch, as nanoGPT does, and prints when it was how good.

A process of its own, started by `race.py` in an environment that has PyTorch and nothing of this
project. Model and rates are those of nanoGPT's `train_shakespeare_char` with the options for a CPU.
Every 250 steps the loss is estimated on 20 random batches of each split, as there.
"""

import argparse
import contextlib
import json
import time
from pathlib import Path

import torch
from torch import nn
from torch_gpt import GPT, learning_rate

BATCH, CONTEXT, STEPS, EVERY, ESTIMATES = 12, 64, 2000, 250, 20
RATES = {
    "learning_rate": 1e-3,
    "min_learning_rate": 1e-4,
    "warmup_steps": 100,
    "decay_steps": STEPS,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="text to train and validate on")
    parser.add_argument("--target", type=float, required=True, help="validation loss to reach")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--compile", action="store_true", help="compile the model")
    parser.add_argument("--bfloat16", action="store_true", help="products in bfloat16 (autocast)")
    arguments = parser.parse_args()
    started = time.perf_counter()

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    text = arguments.data.read_text()
    ids = {character: index for index, character in enumerate(sorted(set(text)))}
    tokens = torch.tensor([ids[character] for character in text])
    train, validation = tokens.split([len(tokens) * 9 // 10, len(tokens) - len(tokens) * 9 // 10])
    model = GPT(vocab=len(ids), context=CONTEXT, layers=4, heads=4, width=128, dropout=0.0)
    run = torch.compile(model) if arguments.compile else model
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": 0.1},
        {"params": vectors, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=RATES["learning_rate"], betas=(0.9, 0.99))
    offsets = torch.arange(CONTEXT + 1)

    def precision() -> contextlib.AbstractContextManager:
        return torch.autocast("cpu", torch.bfloat16, enabled=arguments.bfloat16)

    def loss_of(tokens: torch.Tensor) -> torch.Tensor:
        starts = torch.randint(len(tokens) - CONTEXT, (BATCH, 1))
        windows = tokens[starts + offsets]
        with precision():
            return run(windows[:, :-1], windows[:, 1:])

    @torch.no_grad()
    def estimate(tokens: torch.Tensor) -> float:
        return torch.stack([loss_of(tokens) for _ in range(ESTIMATES)]).mean().item()

    @torch.no_grad()
    def whole(tokens: torch.Tensor) -> float:
        """The mean over the split, in windows that do not overlap."""
        count = (len(tokens) - 1) // CONTEXT
        windows = tokens[torch.arange(count)[:, None] * CONTEXT + offsets]
        sums = [model(w[:, :-1], w[:, 1:]).item() * len(w) for w in windows.split(128)]
        return sum(sums) / count

    curve = []
    for step in range(STEPS + 1):
        if step % EVERY == 0:
            estimate(train)
            curve.append((step, time.perf_counter() - started, estimate(validation)))
        if step == STEPS:
            break
        for each in optimizer.param_groups:
            each["lr"] = learning_rate(step, RATES)
        optimizer.zero_grad(set_to_none=True)
        loss_of(train).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    reached = [row for row in curve if row[2] <= arguments.target]
    print(
        json.dumps(
            {
                "curve": curve,
                "reached": reached[0][1] if reached else None,
                "loss": curve[-1][2],
                "whole": whole(validation),
                "parameters": sum(p.numel() for p in model.parameters()),
                "versions": f"PyTorch {torch.__version__}",
            }
        )
    )


if __name__ == "__main__":
    main()
