"""Logits by transformers and PEFT, for peft_live_test.cpp.

peft_logits.py plain  MODEL OUT ID...           logits of a model directory
peft_logits.py load   MODEL ADAPTER OUT ID...   logits of the model with an adapter directory
peft_logits.py create MODEL ADAPTER OUT ID...   makes an adapter with random factors, saves it, gives its logits
peft_logits.py answer MODEL OUT ID...           the greedy answer, of 12 tokens at most
OUT: a safetensors file with "logits", [T, V] float32, or with "answer", the ids as float32.
"""

import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM


def main():
    mode, model_directory, *rest = sys.argv[1:]
    model = AutoModelForCausalLM.from_pretrained(model_directory, dtype=torch.float32)
    if mode in ("load", "create"):
        adapter, *rest = rest
        if mode == "load":
            model = PeftModel.from_pretrained(model, adapter)
        else:
            torch.manual_seed(5)
            config = LoraConfig(r=4, lora_alpha=12, target_modules=["q_proj", "v_proj", "o_proj", "down_proj"],
                                init_lora_weights=False, task_type="CAUSAL_LM")
            model = get_peft_model(model, config)
            model.save_pretrained(adapter)
    out, *ids = rest
    model.eval()
    ids = torch.tensor([[int(i) for i in ids]])
    with torch.no_grad():
        if mode == "answer":
            answer = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=12)
            result = {"answer": answer[0, ids.shape[1]:].float().contiguous()}
        else:
            result = {"logits": model(ids).logits[0].contiguous()}
    save_file(result, out)


main()
