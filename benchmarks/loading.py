"""How much memory and time it takes to load a published model, against reading its bytes.

python benchmarks/loading.py
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from recipes.data import safetensors
from recipes.weights import load
from recipes.weights.folder import INDEX

TURNS = 5
FIELDS = {
    "model_type": "llama", "vocab_size": 16_000, "hidden_size": 1024, "intermediate_size": 2816,
    "num_hidden_layers": 8, "num_attention_heads": 16, "num_key_value_heads": 8,
    "rms_norm_eps": 1e-5, "rope_theta": 1e4, "tie_word_embeddings": False,
}  # fmt: skip


def write_folder(folder: Path, dtype: np.dtype) -> int:
    """Write a model of about 500 MB in three files and an index; return the bytes."""
    width, heads = FIELDS["hidden_size"], FIELDS["hidden_size"] // FIELDS["num_attention_heads"]
    kv, hidden = FIELDS["num_key_value_heads"] * heads, FIELDS["intermediate_size"]
    layer = {
        "input_layernorm": (width,), "post_attention_layernorm": (width,),
        "self_attn.q_proj": (width, width), "self_attn.k_proj": (kv, width),
        "self_attn.v_proj": (kv, width), "self_attn.o_proj": (width, width),
        "mlp.gate_proj": (hidden, width), "mlp.up_proj": (hidden, width),
        "mlp.down_proj": (width, hidden),
    }  # fmt: skip
    shapes = {"model.embed_tokens": (FIELDS["vocab_size"], width), "model.norm": (width,)}
    shapes |= {"lm_head": shapes["model.embed_tokens"]}
    # Half the bytes a number, twice the layers.
    depth = FIELDS["num_hidden_layers"] * 4 // dtype.itemsize
    for i in range(depth):
        shapes |= {f"model.layers.{i}.{name}": shape for name, shape in layer.items()}
    draw = np.random.default_rng(0)
    names, place = list(shapes), {}
    for part in range(3):
        file = f"model-0000{part + 1}-of-00003.safetensors"
        tensors = {
            f"{name}.weight": draw.standard_normal(shapes[name], np.float32).astype(dtype)
            for name in names[part::3]
        }
        safetensors.write(folder / file, tensors)
        place |= dict.fromkeys(tensors, file)
    (folder / INDEX).write_text(json.dumps({"weight_map": place}))
    (folder / "config.json").write_text(json.dumps({**FIELDS, "num_hidden_layers": depth}))
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def read(folder: Path) -> object:
    """A plain read of the files, and one copy."""
    return [np.fromfile(path, np.uint8).copy() for path in sorted(folder.glob("*.safetensors"))]


def loaded(folder: Path) -> object:
    return jax.block_until_ready(load(folder).params)


WAYS: dict[str, Callable[[Path], object]] = {"read": read, "load": loaded}


def most_memory() -> int:
    """Most bytes that this process ever held; `getrusage` would count those of its parent."""
    status = Path("/proc/self/status").read_text()
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return 1024 * int(kilobytes)


def measured(way: str, folder: Path) -> None:
    """Print the seconds, and the bytes that the process came to hold above what it had before."""
    jax.block_until_ready(jax.numpy.zeros(3))
    before = most_memory()
    start = time.perf_counter()
    kept = WAYS[way](folder)
    seconds = time.perf_counter() - start
    peak = most_memory() - before
    print(json.dumps([seconds, peak]))
    del kept


def turn(way: str, folder: Path) -> list[float]:
    command = [sys.executable, __file__, way, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def main() -> None:
    failed = False
    for dtype in (np.dtype(np.float32), np.dtype(jax.numpy.bfloat16)):
        with tempfile.TemporaryDirectory() as name:
            size = write_folder(Path(name), dtype)
            read(Path(name))  # so that both find the files in the system's memory
            turns = [{way: turn(way, Path(name)) for way in WAYS} for _ in range(TURNS)]
        for way in WAYS:
            seconds = [each[way][0] for each in turns]
            peak = max(each[way][1] for each in turns) / size
            spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
            print(f"{dtype.name:9} {size / 1e6:4.0f} MB  {way}: {spread} s, peak {peak:.2f} x size")
        ratio = statistics.median(each["load"][0] / each["read"][0] for each in turns)
        print(f"{dtype.name:9} load takes {ratio:.2f} times as long as the read and the copy")
        failed |= ratio > 2 or max(each["load"][1] for each in turns) > 1.3 * size
    sys.exit(failed)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measured(sys.argv[1], Path(sys.argv[2]))
    else:
        main()
