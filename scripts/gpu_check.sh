#!/usr/bin/env bash
# All that one NVIDIA GPU can show, for a machine without a network: tests on the GPU, the same losses as on the CPU, ranks over NCCL, benchmarks,
# the comparison with TRL. Each part is a process of its own with a time limit; it passes, fails, is skipped or runs out of time, and the others
# go on. Prints a table; results and figures are in OUT/gpu_check.json. Exit code 1 if a part failed or ran out of time.
#
#   1 facts          GPU, driver, versions of libtorch and NCCL; always
#   2 kernels        kernels_gpu_test: every kernel against its CPU reference
#   3 model          decoder_model_gpu_test: the model on the GPU against itself on the CPU
#   4 nccl           nccl_mpi_test on 2 ranks that share the GPU
#   5 losses, ranks  a recipe on the CPU and on the GPU: the same losses; then on ranks that share the GPU (tests/trainer/commands/on_gpus.sh)
#   6 7b_shared, 7b_plain, 13b_shared, 13b_plain, 34b_shared, 34b_plain
#                    trainer benchmark at the shapes of mistral-7b, llama2-13b and codellama-34b, random weights, LoRA: XML with a shared prompt of
#                    600 tokens or more; and plain, packed into micro-batches of 4,096 tokens
#   7 peer           scripts/bench/compare.sh, where transformers, PEFT and TRL can be imported
#
#   gpu_check.sh [KEY=VALUE...]   overrides of the benchmarks' recipe
#   BUNDLE=DIR           runs what bundle.sh made (in a bundle: that bundle); ENTUNE_BUILD_DIR=DIR runs a build that is there. Else it builds
#   PARTS=1,2,7b_plain   a subset, by number or name
#   OUT=DIR              parts that passed there at the same commit are not run again (default: gpu_check in the build folder, emptied first)
#   LIMIT=1500           seconds for all parts together; those that it leaves no time for are skipped: start again with the same OUT
#   LIMIT_PART=n         seconds for one part: LIMIT_34b_shared=600
#   TOKENIZER=DIR        of at most 32,000 pieces, for the benchmarks (default: the bundle's, else ../shared/data's, else a test's, which makes twice
#                        as many tokens of a text: those figures say nothing of texts a second)
#   ROUNDS=1             of the comparison with TRL
#   FORCE_CPU=1          benchmarks on the CPU, at the shape of smollm2-135m: tests this script, measures nothing
set -euo pipefail
case ${1:-} in
  -h | --help)
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
    exit 0
    ;;
esac
script=$(realpath "$0")
if [ -n "${OUT:-}" ]; then
  OUT=$(realpath -m "$OUT")
  export OUT
fi
if [ -n "${TOKENIZER:-}" ]; then
  TOKENIZER=$(realpath -m "$TOKENIZER")
  export TOKENIZER
fi
# In a bundle, and for one: all again with its programs and libraries.
if [ -z "${BUNDLE:-}" ] && [ -z "${ENTUNE_BUILD_DIR:-}" ] && [ -x "$(dirname "$script")/../run" ]; then BUNDLE=$(dirname "$script")/..; fi
if [ -n "${BUNDLE:-}" ]; then
  bundle=$(realpath -m "$BUNDLE")
  [ -x "$bundle/run" ] || { echo "gpu_check.sh: BUNDLE: expected a folder that bundle.sh made, found '$BUNDLE'" >&2; exit 2; }
  exec env -u BUNDLE "$bundle/run" bash "$bundle/scripts/gpu_check.sh" "$@"
fi
given_build=${ENTUNE_BUILD_DIR:+$(realpath -m "$ENTUNE_BUILD_DIR")}
[ -z "$given_build" ] || export ENTUNE_BUILD_DIR=$given_build
# shellcheck source=scripts/setup.sh
source "$(dirname "$script")/setup.sh"

NAMES=(facts kernels model nccl losses ranks 7b_shared 7b_plain 13b_shared 13b_plain 34b_shared 34b_plain peer)
declare -A NUMBER=([facts]=1 [kernels]=2 [model]=3 [nccl]=4 [losses]=5 [ranks]=5 [7b_shared]=6 [7b_plain]=6 [13b_shared]=6 [13b_plain]=6
  [34b_shared]=6 [34b_plain]=6 [peer]=7)
# Guesses for an H100: 60 to 80 % of LIMIT in all, without the peer. Random weights are drawn on one core: for 34B two minutes and a half, each time.
declare -A SECONDS_OF=([facts]=60 [kernels]=180 [model]=180 [nccl]=240 [losses]=240 [ranks]=240 [7b_shared]=180 [7b_plain]=180 [13b_shared]=240
  [13b_plain]=240 [34b_shared]=420 [34b_plain]=420 [peer]=900)

out=${OUT:-$BUILD_DIR/gpu_check}
results=$out/parts
trainer=$BUILD_DIR/bin/trainer
tokenizer=${TOKENIZER:-}
for folder in tokenizer ../shared/data/tokenizers/mistral-7b-instruct-v0.2 tests/data/tokens/fixtures/llama; do
  if [ -z "$tokenizer" ] && [ -d "$folder" ]; then tokenizer=$folder; fi
done
mpi=(mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1)
forced=false
if [ "${FORCE_CPU:-0}" = 1 ]; then
  forced=true
else
  unset OMP_NUM_THREADS  # the trainer shares the cores among its ranks
fi

has_gpu() { nvidia-smi -L 2>/dev/null | grep '^GPU' >/dev/null; }

commit() { cat commit 2>/dev/null || commit_of_checkout; }

skip() {
  echo "skipped: $*"
  exit 77
}

# ---- the parts; each runs in a process of its own (--part NAME), may leave its figures as JSON in $figures, and is skipped by exit code 77

facts() {
  python3 - "$trainer" "$figures" <<'PYTHON'
import ctypes, json, re, subprocess, sys
trainer, path = sys.argv[1:]
libraries = dict(re.findall(r"(\S+) => (/\S+)", subprocess.run(["ldd", trainer], capture_output=True, text=True).stdout))
facts = {"gpu": None, "driver": None, "memory_mib": None, "compute_capability": None, "libtorch": None, "nccl": None}
try:
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version,compute_cap", "--format=csv,noheader,nounits"]
    name, memory, facts["driver"], capability = subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()[0].split(", ")
    facts.update(gpu=name, memory_mib=int(memory), compute_capability=capability)
except (OSError, subprocess.CalledProcessError, IndexError, ValueError) as error:
    print("no facts of a GPU:", type(error).__name__)
if "libtorch_cpu.so" in libraries:
    try:
        text = open(libraries["libtorch_cpu.so"].rsplit("/lib/", 1)[0] + "/version.py", encoding="utf-8").read()
        facts["libtorch"] = re.search(r"__version__ = '(.*)'", text).group(1)
    except (OSError, AttributeError):
        print("no version.py beside libtorch")
if "libnccl.so.2" in libraries:
    version = ctypes.c_int()
    ctypes.CDLL(libraries["libnccl.so.2"]).ncclGetVersion(ctypes.byref(version))
    facts["nccl"] = f"{version.value // 10000}.{version.value // 100 % 100}.{version.value % 100}"
json.dump(facts, open(path, "w", encoding="utf-8"))
print(facts)
PYTHON
  has_gpu || skip "no GPU"
}

# google_test PROGRAM COMMAND...: its tests; skipped if all of them are
google_test() {
  local program=$1 log=$results/$part.tests passed
  shift
  [ -x "$BUILD_DIR/bin/$program" ] || skip "no $program in the build"
  "$@" "$BUILD_DIR/bin/$program" "${test_options[@]}" 2>&1 | tee "$log"
  passed=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) tests\{0,1\}.*/\1/p' "$log" | tail -n 1)
  echo "{\"passed\": ${passed:-0}, \"skipped\": $(grep -cE '^\[  SKIPPED \] [^ ]+ \(' "$log" || true)}" >"$figures"
  [ "${passed:-0}" -gt 0 ] || skip "$(grep -m 1 -o 'missing: .*' "$log" || echo "all of its tests")"
}
test_options=()
kernels() { google_test kernels_gpu_test env; }
model() { google_test decoder_model_gpu_test env; }
nccl() {
  test_options=(--ranks=2)
  google_test nccl_mpi_test "${mpi[@]}" -np 2
}

losses() { bash tests/trainer/commands/on_gpus.sh "$PWD" "$BUILD_DIR" gpu bfloat16; }
ranks() { bash tests/trainer/commands/on_gpus.sh "$PWD" "$BUILD_DIR" data tensor; }

# benchmark PRESET KEY=VALUE...; of a key that is given twice the last counts
benchmark() {
  local pairs=(model.init=random "model.preset=$1" "model.path=$tokenizer" model.chat=mistral parallel.transport=nccl) pair arguments=()
  local steps=(--warmup 2 --steps 6)
  shift
  if [ "$tokenizer" = tests/data/tokens/fixtures/llama ]; then pairs+=(task.prompt=minimal); fi
  pairs+=("$@")
  if $forced; then
    pairs+=(model.preset=smollm2-135m parallel.transport=mpi training.global_batch=1 training.micro_batch_tokens=4096 data.split.train=1)
    steps=(--warmup 0 --steps 1)
  fi
  local -A values=()
  for pair in "${pairs[@]}" "${overrides[@]}"; do values[${pair%%=*}]=${pair#*=}; done
  for pair in "${!values[@]}"; do arguments+=("$pair=${values[$pair]}"); done
  "$trainer" benchmark --recipe recipes/benchmark.yaml "${steps[@]}" --output "$results/$part.benchmark" "${arguments[@]}"
  mv "$results/$part.benchmark" "$figures"
}
shared=(training.prefix_sharing=true training.global_batch=128 training.micro_batch_tokens=8192 data.split.train=1280)
plain=(training.prefix_sharing=false training.global_batch=32 training.micro_batch_tokens=4096)
7b_shared() { benchmark mistral-7b "${shared[@]}"; }
7b_plain() { benchmark mistral-7b "${plain[@]}"; }
13b_shared() { benchmark llama2-13b "${shared[@]}"; }
13b_plain() { benchmark llama2-13b "${plain[@]}"; }
# Its weights take 63 GiB of a GPU of 80 GB.
34b_shared() { benchmark codellama-34b "${shared[@]}" training.micro_batch_tokens=4096 training.activation_checkpointing=full; }
34b_plain() { benchmark codellama-34b "${plain[@]}" training.activation_checkpointing=full; }

peer() {
  local python=${ENTUNE_PYTHON:-python3} missing
  missing=$("$python" -c 'import sys, importlib.util as u; sys.path.append(".deps/bench")
print(*(name for name in ("transformers", "peft", "trl") if u.find_spec(name) is None))') || missing=$python
  [ -z "$missing" ] || skip "missing: $missing"
  $forced && skip "FORCE_CPU"
  rm -rf "$results/peer"
  ENTUNE_PYTHON=$python TOKENIZER=$tokenizer ROUNDS=${ROUNDS:-1} OUT=$results/peer bash scripts/bench/compare.sh "${overrides[@]}" |
    tee "$results/$part.lines"
  tail -n 1 "$results/$part.lines" | awk '$1 == "ratio" {printf "{\"ratio_shared\": %s, \"ratio_plain\": %s}\n", $3, $5}' >"$figures"
}

if [ "${1:-}" = --part ]; then
  part=$2
  shift 2
  overrides=("$@")
  figures=$results/$part.figures
  "$part"
  exit 0
fi

# ---- the run

overrides=("$@")
PARTS=${PARTS:-1,2,3,4,5,6,7}
selected=(facts)
for name in "${NAMES[@]}"; do
  if [ "$name" != facts ] && [[ ",$PARTS," == *,"$name",* || ",$PARTS," == *,"${NUMBER[$name]}",* ]]; then selected+=("$name"); fi
done
for name in ${PARTS//,/ }; do
  [[ " ${NAMES[*]} ${NUMBER[*]} " == *" $name "* ]] || fail "PARTS: expected numbers from 1 to 7 or names of ${NAMES[*]}, found '$name'"
done
command -v python3 >/dev/null || fail "needs python3"
export STEPS=${#selected[@]}
if [ -z "$given_build" ]; then
  STEPS=$((STEPS + 3))
  install_packages
  install_libtorch
  build trainer kernels_gpu_test decoder_model_gpu_test nccl_mpi_test
elif [ ! -x "$trainer" ]; then
  fail "ENTUNE_BUILD_DIR: expected a build with bin/trainer, found none in '$given_build'"
fi
if [ -z "${OUT:-}" ]; then rm -rf "$out"; fi
mkdir -p "$results"

passed_before() { grep -q "\"commit\": \"$(commit)\"" "$results/$1.json" 2>/dev/null && grep -q '"status": "pass"' "$results/$1.json"; }

# write_result PART STATUS SECONDS REASON
write_result() {
  python3 - "$results" "$(commit)" "$@" <<'PYTHON'
import json, os, sys
folder, commit, part, status, seconds, reason = sys.argv[1:]
result = {"part": part, "status": status, "seconds": round(float(seconds), 1), "reason": reason or None, "commit": commit, "figures": None}
figures = f"{folder}/{part}.figures"
if os.path.exists(figures):
    try:
        result["figures"] = json.load(open(figures, encoding="utf-8"))
    except ValueError:
        result.update(status="fail", reason=f"{figures}: expected JSON")
json.dump(result, open(f"{folder}/{part}.json", "w", encoding="utf-8"))
PYTHON
}

# run_part NAME: in a process group of its own, its output in NAME.log
run_part() {
  local name=$1 log=$results/$1.log rc=0 status reason='' begin limit_variable=LIMIT_$1
  local limit=${!limit_variable:-${SECONDS_OF[$1]}} left=$((${LIMIT:-1500} - SECONDS + began))
  step "$name"
  if passed_before "$name"; then
    note "passed before"
    return
  fi
  rm -f "$results/$name.figures"
  if [ "$name" != facts ] && ! $forced && ! has_gpu; then
    write_result "$name" skipped 0 "no GPU"
    return
  fi
  if [ "$left" -le 0 ]; then
    write_result "$name" skipped 0 "no time left of LIMIT"
    return
  fi
  if [ "$limit" -gt "$left" ]; then limit=$left; fi
  begin=$(date +%s.%N)
  timeout --kill-after=10 "$limit" bash "$script" --part "$name" "${overrides[@]}" >"$log" 2>&1 </dev/null &
  running=$!
  wait "$running" || rc=$?
  local seconds
  seconds=$(date +%s.%N | awk -v begin="$begin" '{print $1 - begin}')
  case $rc in
    0) status=pass ;;
    77) status=skipped reason=$(sed -n 's/^skipped: //p' "$log" | tail -n 1) ;;
    124) status=timeout reason="$limit s" ;;
    *)
      status=fail reason="exit code $rc: $(grep -av '^[[:space:]]*$' "$log" | tail -n 1 | cut -c 1-200)"
      if [ "$rc" -eq 137 ] && awk "BEGIN {exit !($seconds >= $limit)}"; then status=timeout reason="$limit s, then killed"; fi
      ;;
  esac
  write_result "$name" "$status" "$seconds" "$reason"
  if [ "$status" = fail ] || [ "$status" = timeout ]; then
    note "$status: $reason; its output: $log"
  fi
}

began=$SECONDS
running=
trap 'kill $running 2>/dev/null; exit 130' INT TERM  # the part, with all that it started
for name in "${selected[@]}"; do run_part "$name"; done

python3 - "$out" "$(commit)" "${NAMES[@]}" <<'PYTHON'
import json, os, sys
out, commit, *names = sys.argv[1:]
parts = [json.load(open(path, encoding="utf-8")) for path in (f"{out}/parts/{name}.json" for name in names) if os.path.exists(path)]
parts = [part for part in parts if part["commit"] == commit]
facts = next((part["figures"] for part in parts if part["part"] == "facts"), None) or {}


def what(part):
    figures = part["figures"] or {}
    if part["reason"] and part["part"] != "facts":
        return part["reason"]
    if "tflops" in figures:
        return (f"{figures['model']['name']} on {figures['device']}: {figures['samples_per_second']:.1f} texts/s, "
                f"{figures['tokens_per_second']['executed']:.0f} tokens/s, {figures['tflops']['at_4n']:.1f} TFLOP/s at 4N "
                f"({100 * figures['mfu']['at_4n']:.0f} % of its matmul), {max(figures['peak_memory_bytes']) / 2**30:.1f} GiB")
    return ", ".join(filter(None, [part["reason"], *(f"{key} {value}" for key, value in figures.items() if value is not None)]))


statuses = [part["status"] for part in parts]
counts = {status: statuses.count(status) for status in ("pass", "fail", "skipped", "timeout")}
with open(f"{out}/gpu_check.json", "w", encoding="utf-8") as file:
    json.dump({"commit": commit, "gpu": facts.get("gpu"), "versions": {key: facts.get(key) for key in ("driver", "libtorch", "nccl")},
               "counts": counts, "parts": parts}, file, indent=1)
print(f"\n{'part':<11} {'status':<8} {'seconds':>7}  what")
for part in parts:
    print(f"{part['part']:<11} {part['status']:<8} {part['seconds']:>7.0f}  {what(part)}")
print(", ".join(f"{count} {status}" for status, count in counts.items()) + f"; {out}/gpu_check.json")
sys.exit(1 if counts["fail"] + counts["timeout"] else 0)
PYTHON
