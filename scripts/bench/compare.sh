#!/usr/bin/env bash
# Training speed of Entune, with and without prefix sharing, beside TRL's SFTTrainer (transformers + PEFT): the same model, adapter, token ids,
# loss masks, order and batches. Both run in turn, ROUNDS times; TRL at the fastest setting found, its defaults once. The losses of all
# steps must agree, else nothing is compared (exit code 3). The last line is
#
#     ratio shared R1 plain R2           texts per second over those of TRL's faster setting: the median of the rounds
#
#   compare.sh [KEY=VALUE...]     overrides of the recipe
#   RECIPE=FILE                   default recipes/benchmark.yaml: SmolLM2-135M, or a random mistral-7b where there is a GPU
#   ROUNDS=3 STEPS=3 WARMUP=1     rounds; timed steps and those before them in each
#   RANKS=1 THREADS=n             Entune's ranks, and the threads of each (default: this machine's cores over the ranks). TRL gets them all
#   SETTING=JSON                  TRL's setting (peer_trl.py), instead of a search
#   TOKENIZER=DIR                 for the random model on a GPU: a tokenizer of at most 32,000 pieces
#   OUT=DIR                       where the JSON files and the dump go; must be absent or empty (default: a folder in the build folder)
set -euo pipefail
ROUNDS=${ROUNDS:-3} STEPS_TIMED=${STEPS:-3} WARMUP=${WARMUP:-1} RANKS=${RANKS:-1}
export STEPS=10
source "$(dirname "$0")/../setup.sh"
recipe=${RECIPE:-recipes/benchmark.yaml}
out=${OUT:-$BUILD_DIR/compare}
cores=$(env -u OMP_NUM_THREADS nproc)
threads=${THREADS:-$((cores / RANKS > 0 ? cores / RANKS : 1))}
overrides=("$@")

install_bench_peers() {
  step "TRL"
  if "$ENTUNE_PYTHON" -c 'import sys, importlib.util as u; sys.exit(u.find_spec("trl") is None)'; then
    note "taken from ENTUNE_PYTHON"
  elif ! cmp -s scripts/bench/peer.txt .deps/bench/installed; then
    note "installing scripts/bench/peer.txt into .deps/bench"
    rm -rf .deps/bench .deps/bench.part
    run_logged .deps/log/bench.log python3 -m pip --disable-pip-version-check install --no-compile --no-deps --target .deps/bench.part \
      -r scripts/bench/peer.txt || fail "pip could not install scripts/bench/peer.txt"
    cp scripts/bench/peer.txt .deps/bench.part/installed
    mv -T .deps/bench.part .deps/bench
  else
    note "all there"
  fi
}

# entune NAME OVERRIDE...: one benchmark, its JSON in $out/NAME.json, its lines in $out/NAME.log
entune() {
  local name=$1
  shift
  OMP_NUM_THREADS=$threads mpirun --oversubscribe --bind-to none -np "$RANKS" "$BUILD_DIR/bin/trainer" benchmark --recipe "$recipe" \
    --steps "$STEPS_TIMED" --warmup "$WARMUP" --output "$out/$name.json" "${overrides[@]}" "$@" >"$out/$name.log" 2>&1 ||
    { tail -n 20 "$out/$name.log" >&2; fail "trainer benchmark failed"; }
  note "$name: $(speed_of "$out/$name.json") texts/s"
}

# peer NAME ARGUMENT...: the same for TRL
peer() {
  local name=$1 rc=0
  shift
  OMP_NUM_THREADS=$((threads * RANKS)) "$ENTUNE_PYTHON" scripts/bench/peer_trl.py "$out/dump" --warmup "$WARMUP" --output "$out/$name.json" "$@" \
    >"$out/$name.log" 2>&1 || rc=$?
  if [ "$rc" -ne 0 ]; then
    tail -n 20 "$out/$name.log" >&2
    exit "$rc"
  fi
}

speed_of() { python3 -c 'import json, sys; print("%.3f" % json.load(open(sys.argv[1]))["samples_per_second"])' "$1"; }

if [ -e "$out" ] && ! rmdir "$out" 2>/dev/null; then
  [ -z "${OUT:-}" ] || fail "OUT: expected an absent or empty folder, found $out"
  rm -rf "$out"
fi
mkdir -p "$out"
install_libtorch
install_peers
[ -n "${ENTUNE_PYTHON:-}" ] || fail "needs a Python with transformers and PEFT: set ENTUNE_PYTHON"
install_bench_peers
build trainer
if [ -z "${RECIPE:-}" ] && command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1; then
  tokenizer=${TOKENIZER:-../shared/data/tokenizers/mistral-7b-instruct-v0.2}
  [ -d "$tokenizer" ] || fail "TOKENIZER: expected a folder with a tokenizer of at most 32,000 pieces, found '$tokenizer'"
  overrides=(model.init=random model.preset=mistral-7b "model.path=$tokenizer" model.chat=mistral training.global_batch=128
    training.micro_batch_tokens=16384 data.split.train=1280 "${overrides[@]}")
elif [ -z "${RECIPE:-}" ] && [ ! -e "$MODEL/model.safetensors" ]; then
  fetch_model || fail "pip could not fetch $MODEL_PACKAGE"
  import_model
fi

step "Entune's samples and start"
entune dump --dump "$out/dump" training.prefix_sharing=true
setting=${SETTING:-}
if [ -z "$setting" ]; then
  step "TRL's fastest setting"
  peer search --search
  setting=$(python3 -c 'import json, sys; print(json.dumps(json.load(open(sys.argv[1]))["setting"]))' "$out/search.json")
  grep -a 'texts/s$' "$out/search.log" | while read -r line; do note "$line"; done
fi

step "TRL's defaults, and $ROUNDS rounds in turn"
peer default --check "$out/dump.json"
note "TRL's defaults: $(speed_of "$out/default.json") texts/s"
for round in $(seq "$ROUNDS"); do
  entune "shared-$round" training.prefix_sharing=true
  entune "plain-$round" training.prefix_sharing=false
  peer "peer-$round" --setting "$setting" --check "$out/shared-$round.json"
  note "peer-$round: $(speed_of "$out/peer-$round.json") texts/s"
done

step "medians"
python3 - "$out" "$ROUNDS" <<'PYTHON'
import json
import statistics
import sys

out, rounds = sys.argv[1], int(sys.argv[2])
read = lambda name: json.load(open(f"{out}/{name}.json", encoding="utf-8"))
runs = {kind: [read(f"{kind}-{i}") for i in range(1, rounds + 1)] for kind in ("shared", "plain", "peer")}
speeds = {kind: [run["samples_per_second"] for run in every] for kind, every in runs.items()}
default = read("default")["samples_per_second"]
for shared, plain in zip(runs["shared"], runs["plain"]):
    for a, b in zip(shared["losses"], plain["losses"]):
        assert abs(a["loss"] - b["loss"]) < 5e-3 * a["loss"] or shared["dtype"] == "bfloat16", ("shared and plain losses differ", a, b)
for kind in speeds:
    memory = max(max(run["peak_memory_bytes"]) if kind != "peer" else run["peak_memory_bytes"] for run in runs[kind])
    print(f"{kind}: median {statistics.median(speeds[kind]):.3f} texts/s ({', '.join(f'{s:.3f}' for s in speeds[kind])}), peak memory {memory / 2**30:.2f} GiB")
tokens = runs["shared"][0]["tokens"]
texts = runs["shared"][0]["samples"]
print(f"tokens a text: {tokens['logical'] / texts:.0f} logical, {tokens['executed'] / texts:.0f} executed with the prefix shared, {tokens['supervised'] / texts:.0f} supervised")
worst = [max(run["loss_differences"]) for run in runs["peer"]]
print(f"peer: {runs['peer'][0]['peer']}; setting {json.dumps(runs['peer'][0]['setting'])}; losses within {max(worst):.1e}; at its defaults {default:.3f} texts/s")
faster = [max(speed, default) for speed in speeds["peer"]]
ratios = {kind: [ours / theirs for ours, theirs in zip(speeds[kind], faster)] for kind in ("shared", "plain")}
for kind, values in ratios.items():
    print(f"ratio of {kind}, by round: {', '.join(f'{v:.2f}' for v in values)} (spread {max(values) - min(values):.2f})")
print(f"ratio shared {statistics.median(ratios['shared']):.2f} plain {statistics.median(ratios['plain']):.2f}")
PYTHON
