#!/usr/bin/env bash
# SmolLM2 (9 heads, 3 key/value heads) on 1 rank and split over 3 by `trainer --recipe`: the same losses and gradient norms.
# And a split that does not divide its heads is refused before anything is loaded. Exit 77 (skipped) without the model.
# shellcheck source=tests/trainer/commands/real_model.sh
source "$(dirname "$0")/real_model.sh"
run() {
  mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -np "$1" "$trainer" --recipe recipes/quickstart.yaml study=none task.prompt=minimal \
    data.split.train=4 data.split.test=1 training.global_batch=2 model.dtype=float32 generation.max_new_tokens=1 evaluation.baseline=none \
    parallel.tensor="$1" export=none output="$out/$1"
}
run 1
run 3
python3 - "$out"/1/cells/quickstart/steps.jsonl "$out"/3/cells/quickstart/steps.jsonl <<'PYTHON'
import json, sys
one, three = ([json.loads(line) for line in open(path)] for path in sys.argv[1:])
assert len(one) == len(three) == 2, (len(one), len(three))
for a, b in zip(one, three):
    for key in ("loss", "gradient_norm"):
        assert abs(a[key] - b[key]) < 1e-4 * abs(a[key]), (key, a, b)
print("losses and gradient norms agree:", [(a["loss"], b["loss"]) for a, b in zip(one, three)])
PYTHON

rc=0
mpirun --oversubscribe -np 2 "$trainer" --recipe recipes/quickstart.yaml parallel.tensor=2 output="$out/2" >"$out/refusal" 2>&1 || rc=$?
[ "$rc" -eq 2 ] || { echo "expected exit code 2 for 9 heads on 2 ranks, found $rc"; cat "$out/refusal"; exit 1; }
grep -q 'parallel.tensor' "$out/refusal" || { cat "$out/refusal"; exit 1; }
! grep -q 'loading' "$out/refusal" || { echo "weights were loaded before the refusal"; exit 1; }
