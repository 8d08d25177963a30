#!/usr/bin/env bash
# SmolLM2 (9 heads, 3 key/value heads) on 1 rank and split over 3 by `trainer --recipe`, there also with the residual stream cut by rows and
# the MLPs' activations computed again: the same losses and gradient norms.
# And a split that does not divide its heads is refused before anything is loaded. Exit 77 (skipped) without the model.
# shellcheck source=tests/trainer/commands/real_model.sh
source "$(dirname "$0")/real_model.sh"
# run NAME RANKS KEY=VALUE...
run() {
  local name=$1 ranks=$2
  shift 2
  mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -np "$ranks" "$trainer" --recipe recipes/quickstart.yaml study=none task.prompt=minimal \
    data.split.train=4 data.split.test=1 training.global_batch=2 model.dtype=float32 generation.max_new_tokens=1 evaluation.baseline=none \
    parallel.tensor="$ranks" export=none output="$out/$name" "$@"
}
run one 1
run three 3
run cut 3 parallel.sequence=true training.activation_checkpointing=selective
python3 - "$out" <<'PYTHON'
import json, sys
def steps(name):
    return [json.loads(line) for line in open(f"{sys.argv[1]}/{name}/cells/quickstart/steps.jsonl")]
one = steps("one")
for name in ("three", "cut"):
    other = steps(name)
    assert len(other) == len(one) == 2, (name, len(other))
    for a, b in zip(one, other):
        for key in ("loss", "gradient_norm"):
            assert abs(a[key] - b[key]) < 1e-4 * abs(a[key]), (name, key, a, b)
    print(name, "agrees with one rank:", [(a["loss"], b["loss"]) for a, b in zip(one, other)])
PYTHON

rc=0
mpirun --oversubscribe -np 2 "$trainer" --recipe recipes/quickstart.yaml parallel.tensor=2 output="$out/2" >"$out/refusal" 2>&1 || rc=$?
[ "$rc" -eq 2 ] || { echo "expected exit code 2 for 9 heads on 2 ranks, found $rc"; cat "$out/refusal"; exit 1; }
grep -q 'parallel.tensor' "$out/refusal" || { cat "$out/refusal"; exit 1; }
! grep -q 'loading' "$out/refusal" || { echo "weights were loaded before the refusal"; exit 1; }
