#!/usr/bin/env bash
# Signals to a run on 2 ranks under mpirun: SIGUSR1 to mpirun saves and ends with 85, and the resumed run leaves the files of one that was not
# stopped; so does SIGUSR1 to one rank alone; SIGTERM to a rank ends the job at once. Then the checkpoints command.
set -euo pipefail
cd "$1"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# shellcheck source=tests/trainer/commands/tiny_run.sh
source tests/trainer/commands/tiny_run.sh
tiny_run "$1" "$2" "$out" 20 10
run=("--recipe" "$out/recipe.yaml")
adapter=cells/tiny/adapter/adapter_model.safetensors
fail() { echo "$*"; cat "$out/log" 2>/dev/null; exit 1; }

# start OUTPUT ARGUMENTS...: in the background; returns once three steps are logged. Sets `job`, mpirun's process.
start() {
  local output=$out/$1 steps=$out/$1/cells/tiny/steps.jsonl known=0
  shift
  [ ! -e "$steps" ] || known=$(wc -l <"$steps")
  exec mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -np 2 "$trainer" "${run[@]}" output="$output" "$@" >"$out/log" 2>&1 &
  job=$!
  for _ in $(seq 600); do
    if [ -e "$steps" ] && [ "$(wc -l <"$steps")" -ge $((known + 3)) ]; then return; fi
    kill -0 "$job" 2>/dev/null || fail "the run ended before it was stopped"
    sleep 0.05
  done
  fail "no step within 30 s"
}
ends_with() {
  local expected=$1 rc=0
  wait "$job" || rc=$?
  [ "$rc" -eq "$expected" ] || fail "expected exit code $expected, found $rc"
}

on_ranks 2 "${run[@]}" output="$out/uncut" >"$out/log" 2>&1 || fail "the run that is not stopped failed"

start stopped
kill -USR1 "$job"
ends_with 85
grep -q 'asked to stop: step [0-9]* of 200 is saved in .*step_' "$out/log" || fail "expected where it is saved"
[ ! -e "$out/stopped/summary.json" ] || fail "the run was not stopped"
start stopped --resume auto
grep -q '^resumed from .*step_' "$out/log" || fail "expected what it resumed from"
kill -USR1 "$(pgrep -P "$job" | tail -n 1)"
ends_with 85
on_ranks 2 "${run[@]}" output="$out/stopped" --resume auto >"$out/log" 2>&1 || fail "the resumed run failed"
cmp "$out/uncut/$adapter" "$out/stopped/$adapter"

start ended
begin=$(date +%s%N)
kill -TERM "$(pgrep -P "$job" | head -n 1)"
rc=0
wait "$job" || rc=$?
[ "$rc" -ne 0 ] && [ "$rc" -ne 85 ] || fail "expected a job that died, found exit code $rc"
[ $((($(date +%s%N) - begin) / 1000000)) -lt 5000 ] || fail "expected an end within 5 s"

# checkpoints EXIT_CODE ARGUMENTS...: leaves what it says in $out/table
checkpoints() {
  local expected=$1 rc=0
  shift
  "$trainer" checkpoints "$@" >"$out/table" 2>&1 || rc=$?
  [ "$rc" -eq "$expected" ] || { echo "expected exit code $expected, found $rc"; cat "$out/table"; exit 1; }
}
says() { grep -q -- "$1" "$out/table" || { echo "expected $1 in:"; cat "$out/table"; exit 1; }; }
checkpoints 0 ls "$out/stopped"
says ' 200  2x1 zero .* ok$'
checkpoints 0 verify "$out/stopped" --cell tiny
newest=$out/stopped/cells/tiny/checkpoints/step_0000200
printf 'x' | dd of="$newest/rank_00001.safetensors" bs=1 seek=1000 conv=notrunc status=none
checkpoints 0 ls "$out/stopped"
checkpoints 3 verify "$out/stopped"
says ' 200  2x1 zero .* broken: rank_00001.safetensors'
says ' 195  2x1 zero .* ok$'
checkpoints 0 prune "$out/stopped" --keep 1
says "removed $newest"
[ "$(find "$out/stopped/cells/tiny/checkpoints" -name 'step_*')" = "$out/stopped/cells/tiny/checkpoints/step_0000195" ]
checkpoints 2 ls "$out/nowhere"
