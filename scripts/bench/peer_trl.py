#!/usr/bin/env python3
"""TRL's SFTTrainer with transformers and PEFT on what `trainer benchmark --dump DIR` left: the same model, adapter, token ids, loss masks,
order, batches, optimizer and learning rates. Prints one JSON line.

    peer_trl.py DIR                               TRL's defaults
    peer_trl.py DIR --setting '{"micro_batch": 4, "checkpointing": false, "sort": true}'
    peer_trl.py DIR --search                      tries settings on one step each; prints the fastest one's JSON
    peer_trl.py DIR --check ENTUNE.json           also compares the losses with those of `trainer benchmark`; exit 3 if they differ

Settings: micro_batch (texts a forward pass; must divide the batch), checkpointing (of activations), sort (a step's texts by length, so that
little is padded), attention (sdpa, flash_attention_2), padding_free (with flash_attention_2), liger. What a setting leaves out is TRL's
default, with the exception of the dtype, which is Entune's: float32 where Entune ran in float32, else bfloat16 (TRL's default).

The time is wall time from the end of the last warm-up step to the end of the last one. Needs transformers and PEFT (scripts/peers.txt) and
scripts/bench/peer.txt, which compare.sh installs into .deps/bench.
"""
import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / ".deps" / "bench"))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

# Of |entune - peer| / peer. float32: only the order of sums differs at step 1; from then on AdamW, which divides each gradient by its own size,
# carries rounding into the weights. bfloat16: other roundings at other places.
TOLERANCE = {"float32": (1e-4, 1e-3), "bfloat16": (2e-2, 5e-2)}


def read_dump(folder, num_steps):
    """Settings, and for each step its samples."""
    with open(folder / "samples.jsonl", encoding="utf-8") as file:
        settings, *samples = map(json.loads, file)
    steps = {}
    for sample in samples:
        steps.setdefault(sample["step"], []).append(sample)
    steps = [steps[number] for number in sorted(steps)][:num_steps]
    if settings["method"] != "lora":
        sys.exit(f"{folder}: expected training.method: lora, found {settings['method']}; the comparison is of LoRA")
    for step in steps:
        if len(step) != settings["global_batch"]:
            sys.exit(f"{folder}: expected {settings['global_batch']} samples in every step, found {len(step)}; take a number of training "
                     "texts that training.global_batch divides")
        if any(weight not in (0, 1) for sample in step for weight in sample["weights"]):
            sys.exit(f"{folder}: expected loss weights of 0 and 1, found others; set training.loss.prompt_weight: 0.0")
    return settings, steps


def placeholder_tokenizer():
    """SFTTrainer wants a tokenizer; the samples are token ids already, and padding is masked."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"<pad>": 0}, unk_token="<pad>")), pad_token="<pad>", eos_token="<pad>")


def load_model(folder, settings, setting, device):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    # As TRL loads a model that it is given by name, but for the dtype: weights in the run's.
    model = AutoModelForCausalLM.from_pretrained(folder / settings["model"], dtype=getattr(torch, settings["dtype"]),
                                                 attn_implementation=setting.get("attention", "sdpa"))
    return PeftModel.from_pretrained(model.to(device), folder / "adapter", is_trainable=True)


def sft_options(settings, setting, steps, device, out):
    from trl import SFTConfig

    optimizer = settings["optimizer"]
    micro_batch = setting.get("micro_batch", min(SFTConfig.__dataclass_fields__["per_device_train_batch_size"].default, settings["global_batch"]))
    if settings["global_batch"] % micro_batch:
        sys.exit(f"micro_batch: expected a divisor of {settings['global_batch']}, found {micro_batch}")
    options = dict(
        output_dir=out, max_steps=len(steps), per_device_train_batch_size=micro_batch, gradient_accumulation_steps=settings["global_batch"] // micro_batch,
        learning_rate=settings["learning_rates"][0], adam_beta1=optimizer["betas"][0], adam_beta2=optimizer["betas"][1], adam_epsilon=optimizer["eps"],
        weight_decay=optimizer["weight_decay"], max_grad_norm=optimizer["clip_norm"], train_sampling_strategy="sequential", max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True}, logging_strategy="steps", logging_steps=1, save_strategy="no", report_to="none", disable_tqdm=True,
        bf16=settings["dtype"] == "bfloat16", use_cpu=device == "cpu")
    if "checkpointing" in setting:  # the newer name hides the older one where both are
        fields = SFTConfig.__dataclass_fields__
        options["activation_checkpointing" if "activation_checkpointing" in fields else "gradient_checkpointing"] = setting["checkpointing"]
    if setting.get("padding_free"):
        options["padding_free"] = True
    if setting.get("liger"):
        options["use_liger_kernel"] = True
    return SFTConfig(**options)


def train(folder, setting, warmup, num_steps):
    settings, steps = read_dump(folder, num_steps)
    if setting.get("sort"):
        steps = [sorted(step, key=lambda sample: len(sample["ids"])) for step in steps]
    import peft
    import pyarrow
    import torch
    import transformers
    import trl
    from datasets import Dataset
    from transformers import TrainerCallback

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
    model = load_model(folder, settings, setting, device)
    rows = [sample for step in steps for sample in step]
    columns = {"input_ids": [row["ids"] for row in rows],
               "labels": [[i if weight else -100 for i, weight in zip(row["ids"], row["weights"])] for row in rows]}
    data = Dataset(pyarrow.table(columns), fingerprint="entune")  # a name of its own: datasets 5.2 cannot hash pyarrow 26's types
    ends, losses = [], []

    class Clock(TrainerCallback):
        def mark(self):
            if device == "cuda":
                torch.cuda.synchronize()
            ends.append(time.perf_counter())

        def on_train_begin(self, *args, **kwargs):
            self.mark()

        def on_step_end(self, *args, **kwargs):
            self.mark()

        def on_log(self, args, state, control, logs=None, **kwargs):
            if "loss" in logs:
                losses.append(logs["loss"])

    class Peer(trl.SFTTrainer):
        # Entune's learning rate of every step.
        def create_scheduler(self, num_training_steps, optimizer=None):
            rates = settings["learning_rates"]
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer or self.optimizer, lambda step: rates[min(step, len(rates) - 1)] / rates[0])
            return self.lr_scheduler

    with tempfile.TemporaryDirectory() as out:
        options = sft_options(settings, setting, steps, device, out)
        trainer = Peer(model=model, args=options, train_dataset=data, processing_class=placeholder_tokenizer(), callbacks=[Clock()])
        trainer.train()
    if len(ends) != len(steps) + 1 or len(losses) != len(steps):
        sys.exit(f"expected {len(steps)} steps and losses of the peer, found {len(ends) - 1} and {len(losses)}")
    seconds = ends[-1] - ends[warmup]
    samples = sum(len(step) for step in steps[warmup:])
    peak = torch.cuda.max_memory_allocated() if device == "cuda" else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "peer": f"trl {trl.__version__}, transformers {transformers.__version__}, peft {peft.__version__}, torch {torch.__version__}", "device": device,
        "threads": torch.get_num_threads(), "dtype": settings["dtype"], "setting": setting,
        "used": {name: str(getattr(options, name, None)) for name in ("per_device_train_batch_size", "gradient_accumulation_steps", "gradient_checkpointing", "optim", "loss_type",
                                                                      "packing", "padding_free", "use_liger_kernel", "bf16")},
        "attention": model.config._attn_implementation, "warmup": warmup, "steps": len(steps) - warmup, "seconds": seconds,
        "step_seconds": [b - a for a, b in zip(ends, ends[1:])][warmup:], "samples": samples, "samples_per_second": samples / seconds,
        "peak_memory_bytes": peak, "losses": losses}


def candidates(settings):
    """Settings worth a try on this machine, sizes in growing order within each kind."""
    import importlib.util

    import torch

    sizes = [size for size in (1, 2, 4, 8, 16, 32, 64, 128) if settings["global_batch"] % size == 0]
    if not torch.cuda.is_available():
        return [[{"micro_batch": size, "checkpointing": False, "sort": True} for size in sizes]]
    kinds = [{}]
    if importlib.util.find_spec("flash_attn"):
        kinds.append({"attention": "flash_attention_2", "padding_free": True})
    if importlib.util.find_spec("liger_kernel"):
        kinds += [dict(kind, liger=True) for kind in kinds]
    return [[dict(kind, micro_batch=size, checkpointing=checkpointing, sort=True) for size in sizes if size >= 4]
            for kind in kinds for checkpointing in (False, True)]


def search(folder):
    """Each candidate in a process of its own, on one step (two on a GPU, the first not timed): the fastest setting. Sizes grow until one is
    half as fast as the best of its kind, or fails (memory)."""
    settings, _ = read_dump(folder, None)
    import torch

    warmup, num_steps = (1, 2) if torch.cuda.is_available() else (0, 1)
    tried, failed = [], []
    for kind in candidates(settings):
        best = 0.0
        for setting in kind:
            command = [sys.executable, __file__, str(folder), "--setting", json.dumps(setting), "--warmup", str(warmup), "--num-steps", str(num_steps)]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            if done.returncode:
                failed.append({"setting": setting, "why": done.stderr.strip().splitlines()[-1:]})
                print(f"{json.dumps(setting)}: failed", file=sys.stderr)
                break
            speed = json.loads(done.stdout.strip().splitlines()[-1])["samples_per_second"]
            tried.append({"setting": setting, "samples_per_second": speed})
            print(f"{json.dumps(setting)}: {speed:.3f} texts/s", file=sys.stderr)
            if speed < 0.5 * best:
                break
            best = max(best, speed)
    if not tried:
        sys.exit(f"no setting ran: {failed}")
    return {"setting": max(tried, key=lambda one: one["samples_per_second"])["setting"], "tried": tried, "failed": failed}


def check(result, entune_file):
    """Exit code 3 if a step's loss differs from Entune's by more than the tolerance."""
    with open(entune_file, encoding="utf-8") as file:
        entune = [step["loss"] for step in json.loads(file.read().strip().splitlines()[-1])["losses"]]
    first, later = TOLERANCE[result["dtype"]]
    differences = [abs(ours - theirs) / abs(theirs) for ours, theirs in zip(entune, result["losses"])]
    for number, (ours, theirs, difference) in enumerate(zip(entune, result["losses"], differences)):
        allowed = first if number == 0 else later
        print(f"step {number + 1}: Entune {ours:.7f}, peer {theirs:.7f}, difference {difference:.1e} (allowed {allowed:.0e})", file=sys.stderr)
    if not differences or any(difference > (first if number == 0 else later) for number, difference in enumerate(differences)):
        print("the losses differ: the two do not train on the same numbers, and no speeds are compared", file=sys.stderr)
        sys.exit(3)
    return differences


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("dump", type=pathlib.Path, metavar="DIR")
    p.add_argument("--setting", type=json.loads, default={}, metavar="JSON")
    p.add_argument("--search", action="store_true")
    p.add_argument("--warmup", type=int, default=1, help="steps that are not timed (default 1)")
    p.add_argument("--num-steps", type=int, metavar="N", help="only the first N steps of the dump, warm-up included")
    p.add_argument("--check", metavar="ENTUNE.json")
    p.add_argument("--output", metavar="FILE", help="write the JSON line here too")
    a = p.parse_args()
    if a.search:
        result = search(a.dump.resolve())
    else:
        result = train(a.dump.resolve(), a.setting, a.warmup, a.num_steps)
        if a.check:
            result["loss_differences"] = check(result, a.check)
    line = json.dumps(result)
    if a.output:
        pathlib.Path(a.output).write_text(line + "\n", encoding="utf-8")
    print(line)


if __name__ == "__main__":
    main()
