#!/usr/bin/env python3
"""Makes tests/trainer/model/golden: tiny random models of every family as transformers computes them, with and without PEFT adapters.

    make_golden.py tests/trainer/model/golden        (torch 2.11, transformers 5.23, peft 0.21)
    make_golden.py FOLDER SEED                       other weights and texts, and a model with CodeLlama's vocabulary (too large to commit)

Each case is a Hugging Face directory (config.json, model.safetensors) and golden.safetensors, all float32:
  ids.0, ids.1             two sequences that begin with the same `shared` tokens
  supervised               from this position on, every token is a target of weight 1
  loss, logits.0, logits.1, grad.NAME           the sum of the losses of both, its gradient for every parameter
  lora.NAME, lora_loss, lora_logits.0, ...      the same with adapters (rank 3, alpha 6, B random) on all linear layers; lora_grad.NAME
  greedy.0, greedy.1       the ten most likely tokens after each sequence, one after the other
  bfloat16_nmse            of transformers in bfloat16 against the above: |x - y|^2 / |y|^2 of the logits, and of all gradients together
  lora_bfloat16_nmse       the same with adapters, these in bfloat16 too, and of their gradients

Heads, key/value heads and the intermediate size divide by 4, so that each model splits over 1, 2 and 4 ranks; the vocabulary does not.
"""
import copy
import json
import pathlib
import sys

import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import (LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config,
                          Qwen3ForCausalLM)

SHARED, SUPERVISED, NEW_TOKENS = 5, 7, 10
COMMON = dict(vocab_size=43, intermediate_size=20, num_hidden_layers=2, max_position_embeddings=64, attn_implementation="eager",
              pad_token_id=None, bos_token_id=1, eos_token_id=2, initializer_range=0.3, num_key_value_heads=4)


def rope(theta, kind="default", **more):
    return {"rope_type": kind, "rope_theta": theta, **more}


CASES = {
    "llama_grouped_tied": (LlamaForCausalLM, LlamaConfig(hidden_size=32, num_attention_heads=8, tie_word_embeddings=True,
                                                         rope_parameters=rope(500.0), rms_norm_eps=1e-5, **COMMON)),
    "llama_untied": (LlamaForCausalLM, LlamaConfig(hidden_size=16, num_attention_heads=4, tie_word_embeddings=False,
                                                   rope_parameters=rope(10000.0), rms_norm_eps=1e-6, **COMMON)),
    # Of its four frequencies one is kept, one lies between and two are stretched.
    "llama3_scaled": (LlamaForCausalLM, LlamaConfig(hidden_size=24, num_attention_heads=8, head_dim=8, tie_word_embeddings=False,
                                                    rope_parameters=rope(500.0, "llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                                                         original_max_position_embeddings=64),
                                                    rms_norm_eps=1e-5, **(COMMON | {"max_position_embeddings": 512}))),
    "vicuna_linear": (LlamaForCausalLM, LlamaConfig(hidden_size=16, num_attention_heads=4, tie_word_embeddings=False,
                                                    rope_parameters=rope(10000.0, "linear", factor=4.0), rms_norm_eps=1e-5, **COMMON)),
    "mistral_window": (MistralForCausalLM, MistralConfig(hidden_size=24, num_attention_heads=8, head_dim=6, sliding_window=4,
                                                         tie_word_embeddings=False, rope_parameters=rope(10000.0), rms_norm_eps=1e-5, **COMMON)),
    "qwen2_biases": (Qwen2ForCausalLM, Qwen2Config(hidden_size=32, num_attention_heads=8, tie_word_embeddings=False,
                                                   rope_parameters=rope(1e6), rms_norm_eps=1e-6, **COMMON)),
    "qwen3_head_norms": (Qwen3ForCausalLM, Qwen3Config(hidden_size=24, num_attention_heads=8, head_dim=6, tie_word_embeddings=True,
                                                       rope_parameters=rope(1e6), rms_norm_eps=1e-6, **COMMON)),
}


def losses(model, sequences):
    total, logits = 0.0, []
    for ids in sequences:
        out = model(input_ids=ids[None]).logits[0].float()
        logits.append(out.detach().clone())
        total = total + F.cross_entropy(out[SUPERVISED - 1 : -1], ids[SUPERVISED:], reduction="sum")
    total.backward()
    return total.detach(), logits


@torch.no_grad()
def greedy(model, ids):
    """The next tokens; None if one leads by a margin that rounding could bridge."""
    answer = []
    for _ in range(NEW_TOKENS):
        best = model(input_ids=torch.cat([ids, torch.tensor(answer, dtype=torch.long)])[None]).logits[0, -1].topk(2)
        if best.values[0] - best.values[1] < 1e-3:
            return None
        answer.append(best.indices[0].item())
    return torch.tensor(answer)


def nmse(values, expected):
    values, expected = (torch.cat([x.double().flatten() for x in list(xs)]) for xs in (values, expected))
    return (values - expected).square().sum() / expected.square().sum()


def plain(name):
    return name.removeprefix("base_model.model.").replace(".default", "").replace(".base_layer", "")


def make(case, folder, seed):
    kind, config = CASES[case]
    torch.manual_seed(seed + list(CASES).index(case))
    model = kind(config)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith(".bias"):
                p.normal_(0, 0.3)
            elif p.dim() == 1:
                p.uniform_(0.5, 1.5)
    start = torch.randint(3, config.vocab_size, (SHARED,))
    sequences = [torch.cat([start, torch.randint(3, config.vocab_size, (n,))]) for n in (9, 6)]
    answers = [greedy(model, s) for s in sequences]
    if None in answers:
        return make(case, folder, seed + 1000)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    low = copy.deepcopy(model).to(torch.bfloat16)
    golden = {f"ids.{i}": s.float() for i, s in enumerate(sequences)}
    golden["supervised"] = torch.tensor([float(SUPERVISED)])
    golden |= {f"greedy.{i}": a.float() for i, a in enumerate(answers)}
    loss, logits = losses(model, sequences)
    golden["loss"] = loss.reshape(1)
    golden |= {f"logits.{i}": x for i, x in enumerate(logits)}
    golden |= {f"grad.{name}": p.grad.clone() for name, p in model.named_parameters()}
    _, low_logits = losses(low, sequences)
    golden["bfloat16_nmse"] = torch.stack([nmse(low_logits, logits), nmse((p.grad for p in low.parameters()), (p.grad for p in model.parameters()))]).float()
    model.zero_grad()

    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    adapted = get_peft_model(model, LoraConfig(r=3, lora_alpha=6, target_modules=targets))
    trained = {n: p for n, p in adapted.named_parameters() if p.requires_grad}
    with torch.no_grad():
        for p in trained.values():
            p.normal_(0, 0.2)
    low = copy.deepcopy(adapted).to(torch.bfloat16)
    loss, logits = losses(adapted, sequences)
    golden["lora_loss"] = loss.reshape(1)
    golden |= {f"lora_logits.{i}": x for i, x in enumerate(logits)}
    golden |= {f"lora.{plain(n)}": p.detach().clone() for n, p in trained.items()}
    golden |= {f"lora_grad.{plain(n)}": p.grad.clone() for n, p in trained.items()}
    _, low_logits = losses(low, sequences)
    low_grads = [p.grad for p in low.parameters() if p.requires_grad]
    golden["lora_bfloat16_nmse"] = torch.stack([nmse(low_logits, logits), nmse(low_grads, (p.grad for p in trained.values()))]).float()
    save_file({k: v.contiguous() for k, v in golden.items()}, folder / "golden.safetensors")
    return golden["bfloat16_nmse"].tolist() + golden["lora_bfloat16_nmse"].tolist()


out, seed = pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
if seed:
    CASES["codellama_vocabulary"] = (LlamaForCausalLM, LlamaConfig(hidden_size=16, num_attention_heads=4, tie_word_embeddings=False,
                                                                   rope_parameters=rope(1e6), rms_norm_eps=1e-5, **(COMMON | {"vocab_size": 32016})))
for case in CASES:
    (out / case).mkdir(parents=True, exist_ok=True)
    errors = make(case, out / case, seed)
    print(case, sum(f.stat().st_size for f in (out / case).iterdir()), json.loads((out / case / "config.json").read_text())["model_type"], errors)
