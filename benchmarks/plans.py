"""Plan of a model of 70 billion parameters on 256 devices, beside the compiler's own analysis.

Nothing is allocated, and the devices are simulated. All 80 layers are compiled as a loop over one.
A few are compiled without a loop too, where `plan` compiles two and three and counts the others
like the last, to compare it with all of them.
"""

import argparse
import time
from dataclasses import replace

import jax

from blocks import (
    Causal,
    CausalLM,
    GatedMLP,
    LMHead,
    MultiHeadAttention,
    RMSNorm,
    RoPE,
    Stack,
    TokenEmbedding,
    TransformerBlock,
    override,
)
from recipes.config import GPTConfig, Recipe
from recipes.planning.compiled import compiled
from recipes.planning.plan import Plan, plan
from recipes.trainer.mesh import MeshShape
from recipes.trainer.settings import TrainerSettings

# Touvron et al., Llama 2, 2023, arXiv:2307.09288.
LLAMA_70B = CausalLM(
    embed=TokenEmbedding(vocab_size=32_000, features=8192),
    stack=Stack(
        block=TransformerBlock(
            attention=MultiHeadAttention(
                num_heads=64, num_kv_heads=8, position=RoPE(), mask=Causal(), use_bias=False
            ),
            mlp=GatedMLP(hidden=28_672, use_bias=False),
            norm=RMSNorm(),
        ),
        depth=80,
        remat=True,
    ),
    norm=RMSNorm(),
    head=LMHead(vocab_size=32_000, use_bias=False),
)
RECIPE = Recipe(
    batch_size=256, model=GPTConfig(context=4096, vocab_size=32_000), trainer=TrainerSettings()
)


def row(name: str, found: Plan, started: float) -> None:
    """Print a plan, and how long it took."""
    sent = ", ".join(f"{kind} {count / 2**30:.1f}" for kind, count in found.sent.items())
    print(
        f"{name:<34}{found.parameters / 2**30:>7.2f}{found.optimizer / 2**30:>7.2f}"
        f"{found.activations / 2**30:>8.2f}{found.total / 2**30:>8.2f} GiB"
        f"{time.perf_counter() - started:>7.1f} s   {sent}",
        flush=True,
    )


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meshes", nargs="+", default=["fsdp=256", "fsdp=32,tensor=8"])
    parser.add_argument("--depth", type=int, default=8, help="layers without a loop")
    arguments = parser.parse_args()
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", 256)
    print(f"{'':<34}{'params':>7}{'optim':>7}{'within':>8}{'all':>8}")
    for shape in map(MeshShape.parse, arguments.meshes):
        for depth, scan in ((arguments.depth, False), (80, True)):
            model = override(LLAMA_70B, Stack, depth=depth, scan=scan)
            started = time.perf_counter()
            found = plan(RECIPE, model, shape)
            row(f"{shape}, {depth} layers{', scanned' * scan}", found, started)
            if depth < 80:
                started = time.perf_counter()
                whole = compiled(RECIPE, model, shape)
                both = replace(found, activations=whole.memory, sent=whole.sent)
                row("  compiled whole", both, started)
                print(f"  the plan is {100 * (found.total / both.total - 1):+.1f} %")


if __name__ == "__main__":
    main()
