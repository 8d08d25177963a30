#!/usr/bin/env bash
# on_gpus.sh SOURCE BUILD [CASE...]: `trainer --recipe` on CPUs and on GPUs in the shape of SmolLM2, with its weights if they are there, else with
# random ones: the same losses and gradient norms. Cases: gpu (one rank, float32), bfloat16, data (two ranks, float32) and tensor (three ranks,
# which share a GPU if there are fewer); by default all. Exit 77 (skipped) without a GPU or CUDA in the build.
set -euo pipefail
cd "$1"
trainer=$2/bin/trainer
shift 2
cases=("$@")
if [ ${#cases[@]} -eq 0 ]; then cases=(gpu data tensor bfloat16); fi
if ! nvidia-smi -L 2>/dev/null | grep -q '^GPU'; then
  echo "skipped: missing: a GPU"
  exit 77
fi
ldd "$trainer" | grep libtorch_cuda >/dev/null || { echo "skipped: this build has no CUDA in it"; exit 77; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
model=()
if [ ! -e models/smollm2-135m-instruct/model.safetensors ]; then
  model=(model.init=random model.preset=smollm2-135m model.path=tests/data/tokens/fixtures/smollm)
fi
export ENTUNE_SHARE_GPUS=1
# run NAME RANKS DTYPE KEY=VALUE...
run() {
  local name=$1 ranks=$2 dtype=$3
  shift 3
  mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -np "$ranks" "$trainer" --recipe recipes/quickstart.yaml study=none task.prompt=minimal \
    data.split.train=4 data.split.test=2 training.global_batch=2 model.dtype="$dtype" generation.max_new_tokens=4 evaluation.baseline=none \
    export=none output="$out/$name" "${model[@]}" "$@"
}
run cpu 1 float32 parallel.transport=mpi
for case in "${cases[@]}"; do
  case $case in
    gpu) run gpu 1 float32 parallel.transport=nccl ;;
    data) run data 2 float32 parallel.transport=nccl ;;
    tensor) run tensor 3 float32 parallel.transport=nccl parallel.tensor=3 ;;
    bfloat16) run bfloat16 1 bfloat16 parallel.transport=nccl ;;
    *) echo "on_gpus.sh: unknown case '$case'" >&2; exit 2 ;;
  esac
done
python3 - "$out" "${cases[@]}" <<'PYTHON'
import json, sys
def steps(name):
    return [json.loads(line) for line in open(f"{sys.argv[1]}/{name}/cells/quickstart/steps.jsonl")]
cpu = steps("cpu")
for name in sys.argv[2:]:
    tolerance = 5e-2 if name == "bfloat16" else 1e-3
    other = steps(name)
    assert len(other) == len(cpu) == 2, (name, len(other))
    for a, b in zip(cpu, other):
        for key in ("loss", "gradient_norm"):
            assert abs(a[key] - b[key]) < tolerance * abs(a[key]), (name, key, a, b)
    print(name, "agrees with the CPU:", [(a["loss"], b["loss"]) for a, b in zip(cpu, other)])
PYTHON
