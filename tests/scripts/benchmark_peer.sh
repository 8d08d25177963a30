#!/usr/bin/env bash
# scripts/bench/peer_trl.py trains on what `trainer benchmark --dump` left: its losses are Entune's, step by step, at TRL's defaults and at
# another setting; and on other numbers it says so and compares nothing. Exit 77 (skipped) without the model, ENTUNE_PYTHON or TRL.
# shellcheck source=tests/trainer/commands/real_model.sh
source "$(dirname "$0")/../trainer/commands/real_model.sh"
python=${ENTUNE_PYTHON:-}
if [ -z "$python" ] || ! "$python" -c 'import sys; sys.path.append(".deps/bench"); import trl, peft' 2>/dev/null; then
  echo "skipped: needs ENTUNE_PYTHON, a Python with transformers and PEFT, and TRL, which scripts/bench/compare.sh installs"
  exit 77
fi
"$trainer" benchmark --recipe recipes/benchmark.yaml task.prompt=minimal data.split.train=12 data.split.test=1 training.global_batch=4 \
  model.dtype=float32 --warmup 1 --steps 2 --dump "$out/dump" --output "$out/entune.json"
peer() { "$python" scripts/bench/peer_trl.py "$out/dump" --check "$out/entune.json" "$@"; }
peer >"$out/defaults"
peer --setting '{"micro_batch": 2, "checkpointing": false, "sort": true}' --output "$out/peer.json" >"$out/other"
tail -n 1 "$out/other" | cmp - "$out/peer.json"
python3 - "$out" <<'PYTHON'
import json, sys
for name in ("defaults", "other"):
    run = json.loads(open(f"{sys.argv[1]}/{name}").read().strip().splitlines()[-1])
    print(name, run["used"], run["loss_differences"])
    assert run["samples"] == 8 and run["samples_per_second"] > 0 and len(run["losses"]) == 3
# Another token in the first sample, and its loss.
lines = open(f"{sys.argv[1]}/dump/samples.jsonl", encoding="utf-8").read().splitlines()
sample = json.loads(lines[1])
sample["ids"][-2] += 1
lines[1] = json.dumps(sample)
open(f"{sys.argv[1]}/dump/samples.jsonl", "w", encoding="utf-8").write("\n".join(lines) + "\n")
PYTHON
rc=0
peer >"$out/stdout" 2>"$out/stderr" || rc=$?
[ "$rc" -eq 3 ] || { echo "expected exit code 3 for other losses, found $rc"; cat "$out/stderr"; exit 1; }
grep -q 'the losses differ' "$out/stderr"
