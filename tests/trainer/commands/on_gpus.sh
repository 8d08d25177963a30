#!/usr/bin/env bash
# SmolLM2 trained by `trainer --recipe` on CPUs and on GPUs: the same losses and gradient norms in float32, on one rank, on two data ranks and
# on three tensor ranks (which share a GPU if there are fewer). Exit 77 (skipped) without the model, a GPU or CUDA in the build.
# shellcheck source=tests/trainer/commands/real_model.sh
source "$(dirname "$0")/real_model.sh"
if ! nvidia-smi -L 2>/dev/null | grep -q '^GPU'; then
  echo "skipped: missing: a GPU"
  exit 77
fi
grep -q '^ENTUNE_WITH_CUDA.*=TRUE' "$2/CMakeCache.txt" || { echo "skipped: this build has no CUDA in it"; exit 77; }
export ENTUNE_SHARE_GPUS=1
# run NAME RANKS KEY=VALUE...
run() {
  local name=$1 ranks=$2
  shift 2
  mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -np "$ranks" "$trainer" --recipe recipes/quickstart.yaml study=none task.prompt=minimal \
    data.split.train=4 data.split.test=2 training.global_batch=2 model.dtype=float32 generation.max_new_tokens=4 evaluation.baseline=none \
    export=none output="$out/$name" "$@"
}
run cpu 1 parallel.transport=mpi
run gpu 1 parallel.transport=nccl
run data 2 parallel.transport=nccl
run tensor 3 parallel.transport=nccl parallel.tensor=3
run bfloat16 1 parallel.transport=nccl model.dtype=bfloat16
python3 - "$out" <<'PYTHON'
import json, sys
def steps(name):
    return [json.loads(line) for line in open(f"{sys.argv[1]}/{name}/cells/quickstart/steps.jsonl")]
cpu = steps("cpu")
for name, tolerance in (("gpu", 1e-3), ("data", 1e-3), ("tensor", 1e-3), ("bfloat16", 5e-2)):
    other = steps(name)
    assert len(other) == len(cpu) == 2, (name, len(other))
    for a, b in zip(cpu, other):
        for key in ("loss", "gradient_norm"):
            assert abs(a[key] - b[key]) < tolerance * abs(a[key]), (name, key, a, b)
    print(name, "agrees with the CPU:", [(a["loss"], b["loss"]) for a, b in zip(cpu, other)])
PYTHON
