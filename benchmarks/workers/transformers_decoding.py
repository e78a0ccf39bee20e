"""Continues prompts with GPT-2 124M in transformers, and prints how long it took.

A process of its own, started by `decoding.py` in an environment that has PyTorch and transformers,
and nothing of this project.
"""

import argparse
import json
import time

import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("batch", "prompt", "tokens", "repeats", "cores"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--dtype", required=True)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.cores)
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config()).to(getattr(torch, arguments.dtype)).eval()
    # Random weights end nowhere.
    model.generation_config.eos_token_id = None
    prompts = torch.randint(50257, (arguments.batch, arguments.prompt))
    options = {
        "attention_mask": torch.ones_like(prompts),
        "max_new_tokens": arguments.tokens,
        "do_sample": False,
        "use_cache": True,
        "pad_token_id": 0,
    }

    def seconds() -> float:
        start = time.perf_counter()
        with torch.inference_mode():
            text = model.generate(prompts, **options)
        assert text.shape[1] == arguments.prompt + arguments.tokens
        return time.perf_counter() - start

    first = seconds()
    times = [seconds() for _ in range(arguments.repeats)]
    print(
        json.dumps(
            {
                "seconds": times,
                "first": first,
                "parameters": sum(parameter.numel() for parameter in model.parameters()),
                "versions": f"PyTorch {torch.__version__}, transformers {transformers.__version__}",
            }
        )
    )


if __name__ == "__main__":
    main()
