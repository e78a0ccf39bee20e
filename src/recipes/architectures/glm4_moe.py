"""GLM-4.5: experts chosen by sigmoids with a bias and by groups, half of each head rotated.

References:
    GLM-4.5 Team, GLM-4.5, 2025, arXiv:2508.06471.
"""

import dataclasses

from blocks import Biases, CausalLM, MultiHeadAttention, QKNorm, RMSNorm, override
from recipes.architectures import llama
from recipes.architectures.common import rotary
from recipes.architectures.deepseek_v3 import sigmoid_mixture
from recipes.architectures.experts import expert_names, with_mixtures
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    bias, norm = config.get("attention_bias", False), RMSNorm(epsilon=config["rms_norm_eps"])
    config.ignore("num_nextn_predict_layers")  # Their weights are for training.
    model = override(
        llama.build(config),
        MultiHeadAttention,
        position=rotary(config, fraction=0.5),
        qk=(QKNorm(norm=norm),) if config.get("use_qk_norm", False) else (),
        use_bias=Biases(bias, bias, bias, out=False),
    )
    depth, dense = config["num_hidden_layers"], config.get("first_k_dense_replace", 1)
    sparse = [index >= dense for index in range(depth)]
    return with_mixtures(model, sparse, lambda: sigmoid_mixture(config))


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    ours, theirs = "stack/layer_{i}", "model.layers.{i}"
    return {
        **llama.names(config),
        f"{ours}/attention/qk_norm/query": f"{theirs}.self_attn.q_norm",
        f"{ours}/attention/qk_norm/key": f"{theirs}.self_attn.k_norm",
        **expert_names(f"{ours}/mlp", f"{theirs}.mlp"),
        f"{ours}/mlp/router/bias": f"{theirs}.mlp.gate.e_score_correction_bias",
    }


FAMILY = dataclasses.replace(llama.FAMILY, build=build, names=names)
register("glm4_moe", FAMILY)
