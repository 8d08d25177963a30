#!/usr/bin/env bash
# `trainer plan`: a 13B recipe on GPUs, of stated lengths and without a model directory: parts that add up, layouts that fit in the order
# of their time, a layout that cannot fit refused by name; JSON that says the same. Errors of the command line.
set -euo pipefail
root=$1 build=$2
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cd "$root"
plan=("$build/bin/trainer" plan --recipe recipes/llama2-13b-xml.yaml model.init=random model.preset=llama2-13b parallel.tensor=1)
"${plan[@]}" --gpu h100 --gpus 1,8 --lengths 600,100,40 --json "$out/lora.json" >"$out/lora"
grep -q '^8 h100s' "$out/lora" || { cat "$out/lora"; exit 1; }
grep -q '^step: ' "$out/lora" || { cat "$out/lora"; exit 1; }
grep -q 'layouts that fit' "$out/lora" || { cat "$out/lora"; exit 1; }
"${plan[@]}" training.method=full export=none --gpu h100 --gpus 2 --lengths 600,100,40 --json "$out/full.json" >"$out/full"
grep -q 'cannot fit: a rank would take .*weights .*optimizer ' "$out/full" || { cat "$out/full"; exit 1; }
grep -q 'no layout fits' "$out/full" || { cat "$out/full"; exit 1; }
"${plan[@]}" --lengths 600,100,40 >"$out/cpu"
grep -q 'no --gpu' "$out/cpu" || { cat "$out/cpu"; exit 1; }
refused() {
  local rc=0
  "${@:2}" >"$out/stdout" 2>"$out/refusal" || rc=$?
  [ "$rc" -eq 2 ] || { echo "expected exit code 2, found $rc"; cat "$out/refusal"; exit 1; }
  grep -q -- "$1" "$out/refusal" || { echo "expected '$1'"; cat "$out/refusal"; exit 1; }
}
refused 'expected three lengths' "${plan[@]}" --lengths 600,100
python3 - "$out/lora.json" "$out/full.json" <<'PYTHON'
import json, sys
lora, full = (json.load(open(path))["counts"] for path in sys.argv[1:])
one, eight = lora
assert [one["ranks"], eight["ranks"]] == [1, 8]
memory = one["recipe"]["memory"]
parts = sum(memory[part] for part in ("weights", "adapters", "gradients", "optimizer", "activations", "working"))
assert parts == memory["peak"] == max(memory["forward_peak"], memory["backward_peak"], memory["update_peak"]), memory
assert memory["weights"] == 2 * 13015864320, memory  # published: 13,015,864,320 parameters, in bfloat16
times = [layout["step_seconds"]["total"] for layout in eight["fitting"]]
assert times == sorted(times) and len(times) > 3, times
assert eight["recipe"]["flops"]["products"] < one["recipe"]["flops"]["products"]
assert not one["recipe"]["data_axis"]["update"] and eight["recipe"]["data_axis"]["update"]
assert not full[0]["recipe"]["fits"] and full[0]["fitting"] == []
PYTHON
