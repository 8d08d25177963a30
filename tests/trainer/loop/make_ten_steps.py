#!/usr/bin/env python3
"""Makes tests/trainer/loop/golden/MODEL.safetensors: ten training steps as PyTorch, transformers and PEFT take them.

    make_ten_steps.py tests/trainer/model/golden tests/trainer/loop/golden        (torch 2.11, transformers 5.23, peft 0.21)

A file for each model of the first folder (make_golden.py), where the adapters' first values stand too. All float32:
  ids.I                    sample I, which begins with the same tokens as all others
  answer_start             [20] the first supervised token of each sample
  order                    [10, 4] the samples of each step (BatchLoader's order for seed 5, held equal in the test)
  CASE.loss, CASE.norm, CASE.rate    [10] mean loss over the step's supervised tokens, gradient norm before clipping, learning rate
  CASE.final.NAME          every trained parameter after the last step; CASE is full or lora
"""
import pathlib
import sys

import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

ORDER = [
    [11, 7, 15, 1], [3, 10, 4, 14], [5, 0, 13, 2], [8, 16, 6, 18], [12, 19, 9, 17],
    [19, 12, 16, 6], [2, 10, 3, 17], [9, 15, 8, 0], [1, 5, 14, 18], [11, 7, 13, 4],
]
LR, BETAS, DECAY, CLIP, WARMUP, FINAL = 2e-3, (0.9, 0.95), 0.1, 0.5, 3, 0.1


def plain(name):
    return name.removeprefix("base_model.model.").replace(".default", "")


def train(model, samples, starts):
    parameters = {plain(n): p for n, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(parameters.values(), lr=LR, betas=BETAS, weight_decay=DECAY)
    seen = {"loss": [], "norm": [], "rate": []}
    for step, chosen in enumerate(ORDER):
        rate = LR * min(1, (step + 1) / WARMUP) * (1 - (1 - FINAL) * step / len(ORDER))
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        total = sum(len(samples[i]) - starts[i] for i in chosen)
        loss = sum(F.cross_entropy(model(input_ids=samples[i][None]).logits[0][starts[i] - 1 : -1], samples[i][starts[i] :], reduction="sum")
                   for i in chosen) / total
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters.values(), CLIP)
        optimizer.step()
        for name, value in (("loss", loss.item()), ("norm", norm.item()), ("rate", rate)):
            seen[name].append(value)
    return {k: torch.tensor(v) for k, v in seen.items()} | {f"final.{n}": p.detach().clone() for n, p in parameters.items()}


def load(model):
    return AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32, attn_implementation="eager").train()


def make(model):
    generator = torch.Generator().manual_seed(11)
    draw = lambda low, high, *size: torch.randint(low, high, size, generator=generator)
    prefix = draw(3, 43, 7)
    samples = [torch.cat([prefix, draw(3, 43, int(draw(5, 14, 1)))]) for _ in range(20)]
    starts = [int(len(s) - draw(1, 5, 1)) for s in samples]
    result = {f"ids.{i}": s.float() for i, s in enumerate(samples)}
    result |= {"answer_start": torch.tensor(starts).float(), "order": torch.tensor(ORDER).float()}
    result |= {f"full.{k}": v for k, v in train(load(model), samples, starts).items()}

    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    adapted = get_peft_model(load(model), LoraConfig(r=3, lora_alpha=6, target_modules=targets))
    first = load_file(model / "golden.safetensors")
    with torch.no_grad():
        for name, p in adapted.named_parameters():
            if p.requires_grad:
                p.copy_(first["lora." + plain(name)])
    result |= {f"lora.{k}": v for k, v in train(adapted, samples, starts).items()}
    return {k: v.contiguous() for k, v in result.items()}


models, out = map(pathlib.Path, sys.argv[1:])
out.mkdir(parents=True, exist_ok=True)
for model in sorted(models.iterdir()):
    save_file(make(model), out / f"{model.name}.safetensors")
