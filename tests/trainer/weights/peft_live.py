"""What transformers and PEFT compute, for peft_live_test.cpp. One start of Python, which takes seconds, does many jobs.

peft_live.py JOBS OUT
JOBS: a JSON object, jobs by their names. A job:
  model         a model directory
  ids           [T] a sequence
  dtype         in which the model is loaded; absent: float32
  adapter       an adapter directory, loaded into the model; absent: none
  make_adapter  true: the adapter gets random factors and is saved there, not loaded
  new_tokens    the greedy answer to `ids` is wanted too, of so many tokens at most
  train         instead of all that: steps of training from the adapter, as an object of
                samples ([ids of each]), answer_starts (the first supervised token of each), steps ([samples of each step]), lr,
                betas, eps, weight_decay, clip_norm
OUT: a safetensors file, all float32:
  JOB.logits [T, V], JOB.answer [N] the ids of the answer without the prompt's
  JOB.loss [S] mean over the step's supervised tokens, JOB.norm [S] of the gradient before clipping
  JOB.grad.NAME of the first step before clipping, JOB.S.NAME after step S (from 0): every parameter of the adapter by our name for it
"""

import json
import sys

import torch
import torch.nn.functional as F
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM


def load(job):
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=getattr(torch, job.get("dtype", "float32")))
    if job.get("make_adapter"):
        torch.manual_seed(5)
        config = LoraConfig(r=4, lora_alpha=12, target_modules=["q_proj", "v_proj", "o_proj", "down_proj"],
                            init_lora_weights=False, task_type="CAUSAL_LM")
        model = get_peft_model(model, config)
        model.save_pretrained(job["adapter"])
    elif "adapter" in job:
        model = PeftModel.from_pretrained(model, job["adapter"], is_trainable="train" in job)
    return model


@torch.no_grad()
def answer(model, job):
    model.eval()
    ids = torch.tensor([job["ids"]])
    result = {"logits": model(ids).logits[0]}
    if "new_tokens" in job:
        answer = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=job["new_tokens"])
        result["answer"] = answer[0, ids.shape[1]:]
    return result


def train(model, settings):
    model.train()
    parameters = {name.removeprefix("base_model.model.").replace(".default", ""): p
                  for name, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(parameters.values(), lr=settings["lr"], betas=settings["betas"], eps=settings["eps"],
                                  weight_decay=settings["weight_decay"])
    samples = [torch.tensor(ids) for ids in settings["samples"]]
    starts = settings["answer_starts"]
    result, losses, norms = {}, [], []
    for step, chosen in enumerate(settings["steps"]):
        optimizer.zero_grad()
        loss = sum(F.cross_entropy(model(samples[i][None]).logits[0, starts[i] - 1 : -1], samples[i][starts[i] :], reduction="sum")
                   for i in chosen) / sum(len(samples[i]) - starts[i] for i in chosen)
        loss.backward()
        if step == 0:
            result |= {f"grad.{name}": p.grad.clone() for name, p in parameters.items()}
        losses.append(loss.item())
        norms.append(torch.nn.utils.clip_grad_norm_(parameters.values(), settings["clip_norm"]).item())
        optimizer.step()
        result |= {f"{step}.{name}": p.detach().clone() for name, p in parameters.items()}
    return result | {"loss": torch.tensor(losses), "norm": torch.tensor(norms)}


with open(sys.argv[1]) as file:
    jobs = json.load(file)
results = {}
for name, job in jobs.items():
    model = load(job)
    done = train(model, job["train"]) if "train" in job else answer(model, job)
    results |= {f"{name}.{key}": value.float().contiguous() for key, value in done.items()}
save_file(results, sys.argv[2])
