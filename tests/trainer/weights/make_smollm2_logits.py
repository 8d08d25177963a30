#!/usr/bin/env python3
"""Makes tests/trainer/weights/golden/smollm2_logits.safetensors: what transformers computes with SmolLM2-135M-Instruct.

    make_smollm2_logits.py MODEL_DIRECTORY tests/trainer/weights/golden        (torch 2.11, transformers 5.23, safetensors 0.8)

MODEL_DIRECTORY is what `trainer import` wrote, so this also shows that transformers loads it. All float32:
  ids [T]                  a conversation in the model's own template, answer included
  rows [N]                 the positions of which logits are kept: every fourth
  logits [N, V/64]         theirs for every 64th id of the vocabulary, beginning with 0
  log_sum_exp [N]          over the whole vocabulary, so that every logit has a part in the comparison
"""
import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

directory, out = map(pathlib.Path, sys.argv[1:])
tokenizer = AutoTokenizer.from_pretrained(directory)
model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()
start = lambda role, text: [1] + tokenizer.encode(f"{role}\n{text}", add_special_tokens=False)
end = [2] + tokenizer.encode("\n", add_special_tokens=False)
ids = (start("system", "You are a helpful AI assistant named SmolLM, trained by Hugging Face") + end
       + start("user", "What is the capital of France?") + end + start("assistant", "The capital of France is Paris.") + [2])
with torch.no_grad():
    logits = model(torch.tensor([ids])).logits[0]
rows = torch.arange(0, len(ids), 4)
out.mkdir(parents=True, exist_ok=True)
save_file({"ids": torch.tensor(ids).float(), "rows": rows.float(), "logits": logits[rows, ::64].contiguous(),
           "log_sum_exp": torch.logsumexp(logits[rows], -1)}, out / "smollm2_logits.safetensors")
