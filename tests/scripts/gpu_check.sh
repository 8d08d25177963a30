#!/usr/bin/env bash
# gpu_check.sh with stand-ins for the programs: a part passes, is skipped, fails, runs out of time; each leaves the others alone, and table, JSON and
# exit code say so. What passed at this commit is not run again. Then one benchmark on the CPU by the real trainer.
set -euo pipefail
cd "$1"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
mkdir -p "$out/build/bin" "$out/gpu" "$out/no_gpu"

program() {  # NAME: its lines from standard input
  { echo '#!/usr/bin/env bash'; cat; } >"$out/build/bin/$1"
  chmod +x "$out/build/bin/$1"
}
printf '#!/bin/sh\nexit 1\n' >"$out/no_gpu/nvidia-smi"
chmod +x "$out/no_gpu/nvidia-smi"
export PATH=$out/no_gpu:$PATH  # of what this machine has nothing is seen
program kernels_gpu_test <<<"echo run >>'$out/runs'; echo '[  PASSED  ] 5 tests.'"
program decoder_model_gpu_test <<<'echo "[  FAILED  ] ModelOnGpu.TrainsAsTheCpuDoes"; exit 1'
program nccl_mpi_test <<<'echo "[  SKIPPED ] NcclCommunicatorTest.Split (0 ms)"; echo "missing: a GPU for every rank"; echo "[  PASSED  ] 0 tests."'
program trainer <<<'sleep 100'
export ENTUNE_BUILD_DIR=$out/build OUT=$out/results FORCE_CPU=1 LIMIT_7b_shared=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

check() {  # EXPECTED EXIT CODE, ENVIRONMENT...
  local expected=$1 rc=0
  shift
  env "$@" bash scripts/gpu_check.sh >"$out/table" 2>&1 || rc=$?
  [ "$rc" -eq "$expected" ] || { echo "expected exit code $expected, found $rc"; cat "$out/table"; exit 1; }
}
expect() { grep -qE -- "$1" "$out/table" || { echo "expected /$1/"; cat "$out/table"; exit 1; }; }

check 1 PARTS=2,3,4,5,7b_shared
expect '^facts +skipped .*$'
expect '^kernels +pass .* passed 5'
expect '^model +fail .* exit code 1: .*TrainsAsTheCpuDoes'
expect '^nccl +skipped .* missing: a GPU for every rank'
expect '^7b_shared +timeout .* 1 s'
expect '^1 pass, 1 fail, [0-9]+ skipped, 1 timeout; '
python3 - "$out/results/gpu_check.json" <<'PYTHON'
import json, sys
result = json.load(open(sys.argv[1]))
parts = {part["part"]: part for part in result["parts"]}
assert {name: part["status"] for name, part in parts.items() if name not in ("losses", "ranks")} == {
    "facts": "skipped", "kernels": "pass", "model": "fail", "nccl": "skipped", "7b_shared": "timeout"}, parts
assert result["counts"]["fail"] == result["counts"]["timeout"] == 1 and result["commit"], result
assert parts["kernels"]["figures"] == {"passed": 5, "skipped": 0}, parts["kernels"]
assert 1 <= parts["7b_shared"]["seconds"] < 30, parts["7b_shared"]
PYTHON

# Again, with a model test that passes and no benchmark: what passed stays, what failed is run.
program decoder_model_gpu_test <<<'echo "[  PASSED  ] 3 tests."'
rm "$out/results/parts/7b_shared.json"
check 0 PARTS=2,3
[ "$(wc -l <"$out/runs")" -eq 1 ] || { echo "expected one run of a part that passed"; exit 1; }
expect '^model +pass .* passed 3'
# Without time nothing starts, and that is no failure; what is not a part is refused.
check 0 PARTS=34b_plain LIMIT=0
expect '^34b_plain +skipped .* no time left'
check 1 PARTS=8
expect "PARTS: expected .* found '8'"
# Without a GPU, nothing that needs one.
check 0 FORCE_CPU=0 OUT="$out/none"
[ "$(grep -cE '^[a-z0-9_]+ +skipped .* no GPU' "$out/table")" -eq 13 ] || { echo "expected 13 parts without a GPU"; cat "$out/table"; exit 1; }

# With a GPU, so it is told: its facts; and the benchmarks' recipes, of which the real trainer says that they are right.
cat >"$out/gpu/nvidia-smi" <<'GPU'
#!/usr/bin/env bash
if [ "$1" = -L ]; then echo "GPU 0: Stand-in"; else echo "Stand-in, 81559, 580.1, 9.0"; fi
GPU
chmod +x "$out/gpu/nvidia-smi"
program trainer <<TRAINER
[ "\$1 \$4 \$6 \$8" = "benchmark --warmup --steps --output" ] || exit 3
echo '{}' >"\$9"
echo "\${@:10}" >>"$out/keys"
exec "$2/bin/trainer" validate --recipe "\$3" "\${@:10}"
TRAINER
check 0 PARTS=6 FORCE_CPU=0 LIMIT_7b_shared=60 OUT="$out/gpu/results" PATH="$out/gpu:$PATH"
expect '^facts +pass .* gpu Stand-in, driver 580.1, memory_mib 81559, compute_capability 9.0'
[ "$(grep -cE '^(7|13|34)b_(shared|plain) +pass' "$out/table")" -eq 6 ] || { echo "expected six benchmarks"; cat "$out/table"; exit 1; }
for preset in mistral-7b llama2-13b codellama-34b; do
  [ "$(grep -c "model.preset=$preset.*parallel.transport=nccl\|parallel.transport=nccl.*model.preset=$preset" "$out/keys")" -eq 2 ]
done

# The real trainer: its JSON gives the figures. Of the smallest shape, on a tokenizer of the tests.
check 0 PARTS=7b_plain ENTUNE_BUILD_DIR="$2" OUT="$out/real" TOKENIZER=tests/data/tokens/fixtures/llama
expect '^7b_plain +pass .* smollm2-135m on cpu: .* TFLOP/s at 4N'
