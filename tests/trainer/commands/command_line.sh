#!/usr/bin/env bash
# The command line as a user meets it: exit codes, one clear message, no stack. Needs no model.
set -euo pipefail
cd "$1"
trainer=$2/bin/trainer
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# refused CODE PATTERN COMMAND...: exits with CODE and says PATTERN on standard error
refused() {
  local code=$1 pattern=$2 rc=0
  shift 2
  "$@" >"$out/stdout" 2>"$out/stderr" || rc=$?
  [ "$rc" -eq "$code" ] || { echo "expected exit code $code, found $rc: $*"; cat "$out/stderr"; exit 1; }
  grep -qE -- "$pattern" "$out/stderr" || { echo "expected /$pattern/ from: $*"; cat "$out/stderr"; exit 1; }
}

refused 2 'expected --recipe FILE or a command' "$trainer"
refused 2 'no-such.yaml' "$trainer" --recipe no-such.yaml
refused 2 "found 'frobnicate'; the commands are .*validate.*inspect-data" "$trainer" frobnicate
refused 2 "found 'evalute'; did you mean 'evaluate'\\?" "$trainer" evalute
refused 2 "did you mean 'training.epochs'\\?" "$trainer" --recipe recipes/quickstart.yaml traning.epochs=1
printf 'name: x\ntrainin: {}\n' >"$out/bad.yaml"
refused 2 'bad.yaml:2:1: .*training' "$trainer" validate --recipe "$out/bad.yaml"
refused 2 'run folder' "$trainer" predict "$out" --text x
refused 2 '--text TEXT or --input FILE' "$trainer" predict "$out"
echo "two lines" >"$out/in.jsonl"
refused 2 'expected a run|expected cells|found none' "$trainer" predict "$out/absent" --input "$out/in.jsonl" --output "$out/in.jsonl" --overwrite
[ -s "$out/in.jsonl" ] || { echo "predict emptied its input"; exit 1; }
refused 2 'excludes' "$trainer" predict "$out" --text x --output "$out/o" --resume --overwrite
refused 2 '--split' "$trainer" evaluate "$out" --split train --data "$out/texts.jsonl"
refused 2 'report|summary' "$trainer" report "$out"
refused 2 'missing.gguf' "$trainer" import --gguf "$out/missing.gguf" --to "$out/model"
refused 2 '--gguf' "$trainer" import
refused 2 'run folder' "$trainer" export "$out" --to peft --output "$out/adapter"
refused 2 '--to' "$trainer" export "$out" --to onnx --output "$out/adapter"
refused 2 '--output' "$trainer" export "$out" --to peft
[ ! -e "$out/adapter" ]
refused 2 '--recipe is required' "$trainer" benchmark
refused 2 'no-such.yaml' "$trainer" benchmark --recipe no-such.yaml
refused 2 '--steps' "$trainer" benchmark --recipe recipes/benchmark.yaml --steps 0
refused 2 '--repeat' "$trainer" benchmark --recipe recipes/benchmark.yaml --repeat 3
refused 2 'cannot be written; give another file to --output' "$trainer" benchmark --recipe recipes/benchmark.yaml --output "$out/no/where"
# On several ranks the message comes once.
refused 2 'no-such.yaml' mpirun --oversubscribe -np 3 "$trainer" --recipe no-such.yaml
[ "$(grep -c 'error: .*no-such.yaml' "$out/stderr")" -eq 1 ] || { echo "expected the error once"; cat "$out/stderr"; exit 1; }

"$trainer" --help | grep 'inspect-data' >/dev/null
"$trainer" metrics-catalog >"$out/catalog"
grep -qE '^entune_tokens_total +counter +kind +- +.* Of rank 0\.$' "$out/catalog"
grep -qE '^entune_comm_seconds_total +counter +axis,collective +seconds ' "$out/catalog"
grep -qx 'axis: data, tensor' "$out/catalog"
"$trainer" generate-data --count 5 --seed 3 --output "$out/five.jsonl" | grep '5 texts' >/dev/null
[ "$(wc -l <"$out/five.jsonl")" -eq 5 ]
refused 2 'five.jsonl: expected no file there, found one.*--overwrite' "$trainer" generate-data --count 6 --output "$out/five.jsonl"
[ "$(wc -l <"$out/five.jsonl")" -eq 5 ]
"$trainer" generate-data --count 6 --output "$out/five.jsonl" --overwrite | grep '6 texts' >/dev/null
for count in 0 abc 1e3; do
  refused 2 "expected an integer of at least 1 and at most 1000000000000, found '$count'" "$trainer" generate-data --count "$count" --output "$out/none.jsonl"
done
refused 2 "expected an integer of at least 1 .*, found '0'" "$trainer" validate --recipe recipes/quickstart.yaml --world-size 0
refused 2 "expected an integer of at least 0 .*, found '-1'" "$trainer" inspect-data --recipe recipes/quickstart.yaml --samples=-1
"$trainer" show-config --recipe recipes/quickstart.yaml training.epochs=7 >"$out/config"
grep -qE '^training.epochs: 7 +# command line' "$out/config"
grep -qE '^training.clip_norm|^training.optimizer.clip_norm: .*# default' "$out/config"
grep -qE '^name: quickstart +# recipes/quickstart.yaml:[0-9]+:[0-9]+' "$out/config"
