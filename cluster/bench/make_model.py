#!/usr/bin/env python3
"""Write a GGUF with random weights and the shapes of a large model, cut down in layers and experts, for measurements.

What such a model says means nothing; its tensors, number types and bytes per token are those of the real one, so that
speed and memory are. Needs: pip install gguf numpy

  make_model.py out.gguf --family qwen3moe                       # Qwen3-30B-A3B, 8 of its 48 layers
  make_model.py out.gguf --family deepseek2                      # DeepSeek-V3, 3 layers of 64 experts, 1 layer dense
  make_model.py out.gguf --preset kimi-k2 --layers 2 --experts 48
"""
import argparse

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

PRESETS = {
    "qwen3-30b": dict(
        family="qwen3moe", layers=8, hidden=2048, heads=32, kv_heads=4, head_size=128, experts=128, chosen=8, width=768),
    "deepseek-v3": dict(
        family="deepseek2", layers=3, dense_layers=1, hidden=7168, heads=128, query_rank=1536, key_rank=512, rope=64,
        head_size=128, experts=64, chosen=8, groups=8, groups_chosen=4, shared=1, width=2048, dense_width=18432,
        weight_scale=2.5),
    "kimi-k2": dict(
        family="deepseek2", layers=3, dense_layers=1, hidden=7168, heads=64, query_rank=1536, key_rank=512, rope=64,
        head_size=128, experts=64, chosen=8, groups=1, groups_chosen=1, shared=1, width=2048, dense_width=18432,
        weight_scale=2.827),
}
DEFAULT_PRESETS = {"qwen3moe": "qwen3-30b", "deepseek2": "deepseek-v3"}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output")
    parser.add_argument("--family", choices=sorted(DEFAULT_PRESETS), help="uses the family's first preset")
    parser.add_argument("--preset", choices=sorted(PRESETS))
    shapes = sorted({name for preset in PRESETS.values() for name in preset} - {"family"})
    for name in shapes:
        number = float if name == "weight_scale" else int
        parser.add_argument("--" + name.replace("_", "-"), type=number, help="replaces the preset's")
    parser.add_argument("--vocabulary", type=int, default=8192)
    parser.add_argument("--context", type=int, default=8192)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    preset = arguments.preset or DEFAULT_PRESETS[arguments.family or "qwen3moe"]
    if arguments.family and PRESETS[preset]["family"] != arguments.family:
        parser.error(f"the preset {preset} is of the family {PRESETS[preset]['family']}")
    for name, value in PRESETS[preset].items():
        if getattr(arguments, name, None) is None:
            setattr(arguments, name, value)
    arguments.family = PRESETS[preset]["family"]
    arguments.preset = preset
    return arguments


class Writer(gguf.GGUFWriter):
    """Random tensors with a standard deviation of 1 / sqrt(columns), made of random bits where blocks allow it."""

    def __init__(self, path, family, seed):
        super().__init__(path, family)
        self.random = np.random.default_rng(seed)

    def blocks(self, name, shape, bytes_per_block, elements, kind, fill):
        columns = shape[-1]
        assert columns % elements == 0, f"{name}: {columns} columns do not divide into blocks of {elements}"
        rows = int(np.prod(shape[:-1])) * (columns // elements)
        raw = self.random.integers(0, 256, (rows, bytes_per_block), dtype=np.uint8)
        fill(raw, 1 / np.sqrt(columns))
        self.add_tensor(name, raw.reshape(*shape[:-1], columns // elements * bytes_per_block), raw_dtype=kind)

    def q8_0(self, name, *shape):
        def fill(raw, deviation):
            raw[:, 0:2] = half_bytes(deviation / 73.9)

        self.blocks(name, shape, 34, 32, Type.Q8_0, fill)

    def q4_k(self, name, *shape):
        """Scale, scale of the minima, 6-bit scales and minima, all alike, and 4-bit codes; the mean is 0."""

        def fill(raw, deviation):
            scale = deviation / (4.61 * 32)
            raw[:, 0:2] = half_bytes(scale)
            raw[:, 2:4] = half_bytes(scale * 7.5)
            raw[:, 4:16] = [0xA0] * 8 + [0x00] * 4

        self.blocks(name, shape, 144, 256, Type.Q4_K, fill)

    def q6_k(self, name, *shape):
        def fill(raw, deviation):
            raw[:, 192:208] = 32
            raw[:, 208:210] = half_bytes(deviation / (18.47 * 32))

        self.blocks(name, shape, 210, 256, Type.Q6_K, fill)

    def f32(self, name, *shape, deviation=None):
        values = np.ones(shape) if deviation is None else self.random.normal(0, deviation, shape)
        self.add_tensor(name, values.astype(np.float32))


def half_bytes(value):
    return np.frombuffer(np.float16(value).tobytes(), np.uint8)


def write_vocabulary(w, size):
    """The 256 bytes, words that never occur, and two control tokens."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    characters = {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    tokens = [characters[byte] for byte in range(256)]
    tokens += [f"w{i}" for i in range(size - 258)] + ["<|begin|>", "<|end|>"]
    w.add_vocab_size(size)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    w.add_token_list(tokens)
    w.add_token_types([1] * (size - 2) + [3] * 2)
    w.add_token_merges(["w 0"])
    w.add_bos_token_id(size - 2)
    w.add_eos_token_id(size - 1)
    w.add_add_bos_token(False)


def write_common(w, a):
    w.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_K_M)
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)
    w.add_name(f"random-{a.preset}-{a.layers}x{a.experts}")
    w.add_block_count(a.layers)
    w.add_context_length(a.context)
    w.add_embedding_length(a.hidden)
    w.add_head_count(a.heads)
    w.add_layer_norm_rms_eps(1e-6)
    w.add_expert_count(a.experts)
    w.add_expert_used_count(a.chosen)
    w.add_expert_feed_forward_length(a.width)
    write_vocabulary(w, a.vocabulary)
    w.q6_k("token_embd.weight", a.vocabulary, a.hidden)
    w.f32("output_norm.weight", a.hidden)
    w.q6_k("output.weight", a.vocabulary, a.hidden)


def write_experts(w, block, a, down):
    w.f32(block + "ffn_gate_inp.weight", a.experts, a.hidden, deviation=3 / np.sqrt(a.hidden))
    w.q4_k(block + "ffn_gate_exps.weight", a.experts, a.width, a.hidden)
    w.q4_k(block + "ffn_up_exps.weight", a.experts, a.width, a.hidden)
    down(block + "ffn_down_exps.weight", a.experts, a.hidden, a.width)


def write_qwen3moe(w, a):
    w.add_feed_forward_length(a.width)
    w.add_head_count_kv(a.kv_heads)
    w.add_key_length(a.head_size)
    w.add_value_length(a.head_size)
    w.add_rope_freq_base(1e6)
    for layer in range(a.layers):
        block = f"blk.{layer}."
        for name, size in [("attn_norm", a.hidden), ("ffn_norm", a.hidden)]:
            w.f32(block + name + ".weight", size)
        for name in ["attn_q_norm", "attn_k_norm"]:
            w.f32(block + name + ".weight", a.head_size)
        w.q4_k(block + "attn_q.weight", a.heads * a.head_size, a.hidden)
        w.q4_k(block + "attn_k.weight", a.kv_heads * a.head_size, a.hidden)
        w.q6_k(block + "attn_v.weight", a.kv_heads * a.head_size, a.hidden)
        w.q4_k(block + "attn_output.weight", a.hidden, a.heads * a.head_size)
        write_experts(w, block, a, w.q6_k if layer % 2 else w.q4_k)


def write_deepseek2(w, a):
    """Latent attention: what is cached is key_rank + rope values a position; the heads' keys have head_size + rope."""
    w.add_feed_forward_length(a.dense_width)
    w.add_head_count_kv(1)
    w.add_key_length(a.key_rank + a.rope)
    w.add_value_length(a.key_rank)
    w.add_key_length_mla(a.head_size + a.rope)
    w.add_value_length_mla(a.head_size)
    w.add_q_lora_rank(a.query_rank)
    w.add_kv_lora_rank(a.key_rank)
    w.add_rope_dimension_count(a.rope)
    w.add_rope_freq_base(10000)
    w.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    w.add_rope_scaling_factor(40)
    w.add_rope_scaling_orig_ctx_len(4096)
    w.add_rope_scaling_yarn_beta_fast(32)
    w.add_rope_scaling_yarn_beta_slow(1)
    w.add_rope_scaling_yarn_log_mul(0.1)
    w.add_leading_dense_block_count(a.dense_layers)
    w.add_expert_group_count(a.groups)
    w.add_expert_group_used_count(a.groups_chosen)
    w.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    w.add_expert_shared_count(a.shared)
    w.add_expert_weights_scale(a.weight_scale)
    w.add_expert_weights_norm(True)
    for layer in range(a.layers):
        block = f"blk.{layer}."
        w.f32(block + "attn_norm.weight", a.hidden)
        w.f32(block + "ffn_norm.weight", a.hidden)
        w.f32(block + "attn_q_a_norm.weight", a.query_rank)
        w.f32(block + "attn_kv_a_norm.weight", a.key_rank)
        w.q4_k(block + "attn_q_a.weight", a.query_rank, a.hidden)
        w.q4_k(block + "attn_q_b.weight", a.heads * (a.head_size + a.rope), a.query_rank)
        w.q4_k(block + "attn_kv_a_mqa.weight", a.key_rank + a.rope, a.hidden)
        w.q8_0(block + "attn_k_b.weight", a.heads, a.key_rank, a.head_size)
        w.q4_k(block + "attn_v_b.weight", a.heads, a.head_size, a.key_rank)
        w.q4_k(block + "attn_output.weight", a.hidden, a.heads * a.head_size)
        if layer < a.dense_layers:
            w.q4_k(block + "ffn_gate.weight", a.dense_width, a.hidden)
            w.q4_k(block + "ffn_up.weight", a.dense_width, a.hidden)
            w.q6_k(block + "ffn_down.weight", a.hidden, a.dense_width)
            continue
        w.f32(block + "exp_probs_b.bias", a.experts, deviation=0.01)
        write_experts(w, block, a, w.q4_k)
        width = a.shared * a.width
        w.q4_k(block + "ffn_gate_shexp.weight", width, a.hidden)
        w.q4_k(block + "ffn_up_shexp.weight", width, a.hidden)
        w.q6_k(block + "ffn_down_shexp.weight", a.hidden, width)


def main():
    a = parse_arguments()
    w = Writer(a.output, a.family, a.seed)
    write_common(w, a)
    {"qwen3moe": write_qwen3moe, "deepseek2": write_deepseek2}[a.family](w, a)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file(progress=False)
    w.close()


if __name__ == "__main__":
    main()
