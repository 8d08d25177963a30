#!/usr/bin/env bash
# slurm_requeue.sh SOURCE BUILD: scripts/slurm on a real Slurm of the test's own, first of one node, then of two (both this machine). A training that is
# stopped by SIGUSR1, SIGTERM and its time limit saves, queues itself again and ends with the files of one that nobody stopped, under mpirun and under
# srun; a study's cells do so one by one; a job that comes no further, or was queued too often, ends. Exit 77 (skipped) without Slurm.
set -euo pipefail
cd "$1"
out=$(mktemp -d)
# shellcheck source=tests/scripts/private_slurm.sh
source tests/scripts/private_slurm.sh
trap 'stop_slurm; rm -rf "$out"' EXIT
find_slurm "$1"
# shellcheck source=tests/trainer/commands/tiny_run.sh
source tests/trainer/commands/tiny_run.sh
tiny_run "$1" "$2" "$out" 20 10
export ENTUNE_TRAINER=$trainer OMPI_MCA_mpi_yield_when_idle=1
fail() {
  echo "$*"
  scontrol show job 2>/dev/null || true
  tail -n 60 "$out"/*.out
  exit 1
}

# has_grown FILE LINES: waits until it has so many; within a minute
has_grown() {
  for _ in $(seq 600); do
    if [ -e "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ]; then return; fi
    sleep 0.1
  done
  fail "expected $2 lines in $1 within a minute"
}
lines_of() { if [ -e "$1" ]; then wc -l <"$1"; else echo 0; fi; }

# stop_with COMMAND...: after three more steps of the run in $run; then waits until the job has been queued again
stop_with() {
  local job=${*: -1} steps=$run/cells/${cell:-tiny}/steps.jsonl before
  has_grown "$steps" $(($(lines_of "$steps") + 3))
  before=$(job_says "$job" Restarts)
  "$@"
  for _ in $(seq 600); do
    if [ "$(job_says "$job" Restarts)" -gt "$before" ]; then return; fi
    [[ $(job_says "$job" JobState) != FAILED ]] || break
    sleep 0.1
  done
  fail "expected a job that is queued again"
}

# is_done JOB RESTARTS
is_done() {
  local found
  ended "$1"
  found="$(job_says "$1" JobState) $(job_says "$1" ExitCode) $(job_says "$1" Restarts)"
  [ "$found" = "COMPLETED 0:0 $2" ] || fail "expected COMPLETED 0:0 $2, found $found"
}

# Weights and losses of $run are those of the training that nobody stopped.
is_like_uncut() {
  cmp "$out/uncut/cells/tiny/adapter/adapter_model.safetensors" "$run/cells/tiny/adapter/adapter_model.safetensors" || fail "expected equal weights in $run"
  python3 - "$out/uncut" "$run" <<'PYTHON' || fail "expected equal losses in $run"
import json, sys
losses = [json.load(open(f"{run}/summary.json"))["cells"][0]["train"]["losses"] for run in sys.argv[1:]]
assert losses[0] == losses[1] and len(losses[0]) == 200
PYTHON
}

# submit NAME SBATCH_OPTIONS... -- OVERRIDES...: train.sbatch into $out/NAME; sets job and run
submit() {
  run=$out/$1
  local slurm_options=()
  shift
  while [ "$1" != -- ]; do
    slurm_options+=("$1")
    shift
  done
  shift
  job=$(sbatch --parsable --output="$out/%x-%j.out" "${slurm_options[@]}" scripts/slurm/train.sbatch "$out/recipe.yaml" output="$run" "$@")
}

on_ranks 2 --recipe "$out/recipe.yaml" output="$out/uncut" >"$out/uncut.out" 2>&1 || fail "the training that is not stopped failed"

start_slurm "$out" 1 2
for launcher in mpirun srun; do
  export ENTUNE_LAUNCHER=$launcher
  submit "$launcher" --ntasks=2 --
  stop_with scancel --batch --signal=USR1 "$job"
  stop_with scancel --batch --signal=TERM "$job"
  is_done "$job" 2
  is_like_uncut
  [ "$(grep -c '^resumed from .*step_' "$out/entune-train-$job.out")" -eq 2 ] || fail "expected two resumptions"
done

# A study: one of its cells is stopped, the other goes on. Then the report.
unset ENTUNE_LAUNCHER
cat "$out/recipe.yaml" - >"$out/study.yaml" <<YAML
output: $out/study
study: {seed: [1, 2]}
YAML
run=$out/study cell=seed=2
(cd "$1" && scripts/slurm/study.sh --ntasks=1 --output="$out/%x-%A_%a.out" "$out/study.yaml" telemetry.metrics.enabled=false) >"$out/submitted.out"
read -r array report < <(sed -n 's/^\([0-9]*\): these cells; \([0-9]*\): the report.*/\1 \2/p' "$out/submitted.out")
scontrol update JobId="$report" StdOut="$out/report.out"
stop_with scancel --batch --signal=USR1 "${array}_1"
is_done "${array}_0" 0
is_done "${array}_1" 1
is_done "$report" 0
python3 - "$run/summary.json" <<'PYTHON' || fail "expected a report of both cells"
import json, sys
assert [cell["name"] for cell in json.load(open(sys.argv[1]))["cells"]] == ["seed=1", "seed=2"]
PYTHON
unset cell

# Queued too often.
ENTUNE_MAX_RESTARTS=0 submit too_often --ntasks=2 --
has_grown "$run/cells/tiny/steps.jsonl" 3
scancel --batch --signal=USR1 "$job"
ended "$job"
[ "$(job_says "$job" ExitCode) $(job_says "$job" Restarts)" = "85:0 0" ] || fail "expected a job that ends with 85"
grep -q '^entune-train: saved before its end, after 0 restarts of the 0 that ENTUNE_MAX_RESTARTS allows' "$out/entune-train-$job.out" || fail "expected the reason"

# A program that hangs: queued again if it has come further, once; then it has not. Its other arguments are the trainer's.
cat >"$out/hangs" <<'PROGRAM'
#!/bin/sh
if [ "$1" = show-config ]; then echo "output: $HANGS_IN  # here"; exit 0; fi
mkdir -p "$HANGS_IN/cells/tiny/checkpoints/step_0000001"
touch "$HANGS_IN/hang-rank-0.txt"
exit "$HANGS_WITH"
PROGRAM
chmod +x "$out/hangs"
for code in 86 143; do  # the second: what srun makes of a rank that it has to kill
  ENTUNE_TRAINER=$out/hangs HANGS_WITH=$code HANGS_IN=$out/hung-$code submit "hung-$code" --ntasks=1 --
  ended "$job"
  [ "$(job_says "$job" ExitCode) $(job_says "$job" Restarts)" = "86:0 1" ] || fail "expected a job that ends with 86 after one restart"
  grep -q '^entune-train: a rank hung (exit code 86), and no checkpoint or result in .* is newer than this start (restart 1)' "$out/entune-train-$job.out" ||
    fail "expected the reason"
done

# Ranks that do not end at the same moment: srun still says 85.
cat >"$out/ends_late" <<'PROGRAM'
#!/bin/sh
if [ "$1" = show-config ]; then echo "output: /nowhere  # here"; exit 0; fi
sleep "$SLURM_PROCID"
exit 85
PROGRAM
chmod +x "$out/ends_late"
ENTUNE_TRAINER=$out/ends_late ENTUNE_LAUNCHER=srun submit late --ntasks=2 --
ended "$job"
[ "$(job_says "$job" ExitCode) $(job_says "$job" Restarts)" = "85:0 0" ] || fail "expected a job that ends with 85 and has come no further"

# Two nodes, this machine both: no shared memory between ranks, whose files would have the same names.
stop_slurm
start_slurm "$out" 2 2
command -v ip >/dev/null || export ENTUNE_INTERFACE=lo
export OMPI_MCA_btl=tcp,self ENTUNE_TARGETS=$out/targets
for launcher in mpirun srun; do
  export ENTUNE_LAUNCHER=$launcher
  submit "nodes-$launcher" --nodes=2 --ntasks-per-node=1 --
  has_grown "$run/cells/tiny/steps.jsonl" 3
  python3 - "$ENTUNE_TARGETS/slurm-$job.json" "$job" <<'PYTHON' || fail "expected the targets of two ranks"
import json, socket, sys
targets = json.load(open(sys.argv[1]))
assert [(t["labels"]["rank"], t["labels"]["slurm_job_id"]) for t in targets] == [("0", sys.argv[2]), ("1", sys.argv[2])], targets
assert all(t["targets"][0].startswith(socket.gethostname() + ":") for t in targets), targets
PYTHON
  stop_with scancel --batch --signal=USR1 "$job"
  is_done "$job" 1
  is_like_uncut
  grep -q '^entune-train: 2 nodes, MPI and NCCL on lo$' "$out/entune-train-$job.out" || fail "expected the interface"
  [ -z "$(ls "$ENTUNE_TARGETS")" ] || fail "expected no targets of jobs that have ended"
done
unset ENTUNE_TARGETS ENTUNE_LAUNCHER

scripts/slurm/scaling.sh "1 2" --ntasks-per-node=1 --output="$out/%x-%j.out" "$out/recipe.yaml" output="$out/scaling" --steps=2 --warmup=1 >"$out/submitted.out"
mapfile -t jobs < <(grep -oE '^[0-9]+' "$out/submitted.out")
for job in "${jobs[@]}"; do is_done "$job" 0; done
python3 - "$out/scaling/scaling" <<'PYTHON' || fail "expected the points of a scaling study"
import json, sys
for nodes in 1, 2:
    for mode, batch in ("strong", 4), ("weak", 4 * nodes):
        point = json.load(open(f"{sys.argv[1]}/{mode}-nodes-{nodes}.json"))
        assert point["ranks"]["world"] == nodes and point["global_batch"] == batch, point
PYTHON

"$trainer" scaling-report "$out/scaling/scaling" >"$out/report.out" || fail "expected a report on them"
[ "$(grep -c '^[12][* ]' "$out/report.out")" -eq 4 ] || fail "expected four rows in the report"

# The time limit: Slurm's signal comes at most a minute early, so within a minute here.
submit time_limit --ntasks=1 --time=2 --signal=B:USR1@110 -- training.epochs=4000
for _ in $(seq 900); do
  if [ "$(job_says "$job" Restarts)" -gt 0 ]; then break; fi
  sleep 0.1
done
[ "$(job_says "$job" Restarts)" -gt 0 ] || fail "expected a job that is queued again before its time limit"
echo "all as expected"
