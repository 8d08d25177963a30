#!/usr/bin/env bash
# `trainer benchmark` on 1 and 2 ranks of mpirun with the real model: a line a stage, JSON as the last one and in --output, and the same
# counts and losses on both, tensors within 5 % of the plan. Exit 77 (skipped) without the model.
# shellcheck source=tests/trainer/commands/real_model.sh
source "$(dirname "$0")/real_model.sh"
for ranks in 1 2; do
  mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -np "$ranks" "$trainer" benchmark --recipe recipes/benchmark.yaml \
    task.prompt=minimal data.split.train=8 data.split.test=1 training.global_batch=4 model.dtype=float32 --warmup 1 --steps 2 \
    --output "$out/$ranks.json" >"$out/$ranks.log"
  tail -n 1 "$out/$ranks.log" | cmp - "$out/$ranks.json"
  for stage in model warm-up timed tokens/s matmul TFLOP/s time memory planned; do
    grep -q "^$stage" "$out/$ranks.log" || { echo "expected a line that begins with $stage"; cat "$out/$ranks.log"; exit 1; }
  done
done
rc=0
"$trainer" benchmark --recipe recipes/benchmark.yaml training.method=none >"$out/stdout" 2>"$out/refusal" || rc=$?
[ "$rc" -eq 2 ] || { echo "expected exit code 2 for training.method: none, found $rc"; exit 1; }
grep -q 'expected a cell that trains' "$out/refusal" || { cat "$out/refusal"; exit 1; }
python3 - "$out"/1.json "$out"/2.json <<'PYTHON'
import json, sys
one, two = (json.load(open(path)) for path in sys.argv[1:])
for run, ranks in ((one, 1), (two, 2)):
    assert run["ranks"] == {"world": ranks, "data": ranks, "tensor": 1}, run["ranks"]
    assert len(run["peak_memory_bytes"]) == ranks and min(run["peak_memory_bytes"]) > 2**28, run["peak_memory_bytes"]
    assert len(run["step_seconds"]) == 2 and len(run["losses"]) == 3
    assert 0 < run["mfu"]["at_4n"] < run["mfu"]["at_6n"], run["mfu"]
    assert set(run["phases"]) == {"data", "forward", "backward", "communication", "optimizer"}
    assert abs(sum(phase["mean"] for phase in run["phases"].values()) - run["seconds"]) < 0.2 * run["seconds"], run["phases"]
    planned = run["planned"]
    assert len(planned["peak_tensor_bytes"]) == len(planned["measured_peak_tensor_bytes"]) == ranks
    for plan, measured in zip(planned["peak_tensor_bytes"], planned["measured_peak_tensor_bytes"]):
        assert abs(plan / measured - 1) < 0.05, planned  # deterministic; times are not
    assert planned["step_seconds"] > 0 and planned["last_step"]["products"] > 0
assert one["planned"]["last_step"]["data_axis"] == 0 < two["planned"]["last_step"]["data_axis"]
for key in ("samples", "rows_with_loss", "model", "global_batch"):
    assert one[key] == two[key], (key, one[key], two[key])
for kind in ("logical", "supervised"):
    assert one["tokens"][kind] == two["tokens"][kind], (kind, one["tokens"], two["tokens"])
assert one["samples"] == 8 and one["tokens"]["logical"] > one["tokens"]["executed"] > one["tokens"]["supervised"] > 0
assert two["phases"]["communication"]["mean"] > 0
for a, b in zip(one["losses"], two["losses"]):
    assert abs(a["loss"] - b["loss"]) < 1e-3 * a["loss"], (a, b)
PYTHON
