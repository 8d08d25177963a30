#!/usr/bin/env python3
"""Makes tests/trainer/model/golden: tiny random models as transformers computes them, with and without PEFT adapters.

    make_golden.py tests/trainer/model/golden        (torch 2.11, transformers 5.23, peft 0.21)

Each case is a Hugging Face directory (config.json, model.safetensors) and golden.safetensors, all float32:
  ids.0, ids.1             two sequences that begin with the same `shared` tokens
  supervised               from this position on, every token is a target of weight 1
  loss, logits.0, logits.1, grad.NAME           the sum of the losses of both, its gradient for every parameter
  lora.NAME, lora_loss, lora_logits.0, ...      the same with adapters (rank 3, alpha 6, B random) on all linear layers; lora_grad.NAME
"""
import json
import pathlib
import sys

import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

SHARED, SUPERVISED = 5, 7
COMMON = dict(vocab_size=43, hidden_size=24, intermediate_size=20, num_hidden_layers=2, max_position_embeddings=64,
              attn_implementation="eager", pad_token_id=None, bos_token_id=1, eos_token_id=2, initializer_range=0.3)
CASES = {
    "llama_grouped_tied": (LlamaForCausalLM, LlamaConfig(num_attention_heads=6, num_key_value_heads=2, tie_word_embeddings=True,
                                                         rope_theta=500.0, rms_norm_eps=1e-5, **COMMON)),
    "llama_untied": (LlamaForCausalLM, LlamaConfig(num_attention_heads=4, num_key_value_heads=4, tie_word_embeddings=False,
                                                   rope_theta=10000.0, rms_norm_eps=1e-6, **COMMON)),
    "mistral_window": (MistralForCausalLM, MistralConfig(num_attention_heads=3, num_key_value_heads=1, head_dim=10, sliding_window=4,
                                                         tie_word_embeddings=False, rope_theta=10000.0, rms_norm_eps=1e-5, **COMMON)),
}


def losses(model, sequences):
    total, logits = 0.0, []
    for ids in sequences:
        out = model(input_ids=ids[None]).logits[0]
        logits.append(out.detach().clone())
        total = total + F.cross_entropy(out[SUPERVISED - 1 : -1], ids[SUPERVISED:], reduction="sum")
    total.backward()
    return total.detach(), logits


def plain(name):
    return name.removeprefix("base_model.model.").replace(".default", "").replace(".base_layer", "")


def make(case, folder):
    kind, config = CASES[case]
    torch.manual_seed(sorted(CASES).index(case))
    model = kind(config)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() == 1:
                p.uniform_(0.5, 1.5)
    start = torch.randint(3, 43, (SHARED,))
    sequences = [torch.cat([start, torch.randint(3, 43, (n,))]) for n in (9, 6)]
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    golden = {f"ids.{i}": s.float() for i, s in enumerate(sequences)}
    golden["supervised"] = torch.tensor([float(SUPERVISED)])
    loss, logits = losses(model, sequences)
    golden["loss"] = loss.reshape(1)
    golden |= {f"logits.{i}": x for i, x in enumerate(logits)}
    golden |= {f"grad.{name}": p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()

    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    adapted = get_peft_model(model, LoraConfig(r=3, lora_alpha=6, target_modules=targets))
    trained = {n: p for n, p in adapted.named_parameters() if p.requires_grad}
    with torch.no_grad():
        for p in trained.values():
            p.normal_(0, 0.2)
    loss, logits = losses(adapted, sequences)
    golden["lora_loss"] = loss.reshape(1)
    golden |= {f"lora_logits.{i}": x for i, x in enumerate(logits)}
    golden |= {f"lora.{plain(n)}": p.detach().clone() for n, p in trained.items()}
    golden |= {f"lora_grad.{plain(n)}": p.grad.clone() for n, p in trained.items()}
    save_file({k: v.contiguous() for k, v in golden.items()}, folder / "golden.safetensors")


out = pathlib.Path(sys.argv[1])
for case in CASES:
    (out / case).mkdir(parents=True, exist_ok=True)
    make(case, out / case)
    print(case, sum(f.stat().st_size for f in (out / case).iterdir()), json.loads((out / case / "config.json").read_text())["model_type"])
