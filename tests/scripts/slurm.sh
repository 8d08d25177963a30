#!/usr/bin/env bash
# slurm.sh SOURCE BUILD: one short job on a real Slurm of the test's own: scripts/slurm/train.sbatch trains on two ranks and ends with 0. Tasks that
# MPI does not join are refused with 2, once. Exit 77 (skipped) without Slurm.
set -euo pipefail
cd "$1"
out=$(mktemp -d)
# shellcheck source=tests/scripts/private_slurm.sh
source tests/scripts/private_slurm.sh
trap 'stop_slurm; rm -rf "$out"' EXIT
find_slurm "$1"
start_slurm "$out" 1 2
# shellcheck source=tests/trainer/commands/tiny_run.sh
source tests/trainer/commands/tiny_run.sh
tiny_run "$1" "$2" "$out" 5 2
export ENTUNE_TRAINER=$trainer OMPI_MCA_mpi_yield_when_idle=1
fail() { echo "$*"; cat "$out"/*.out "$out/log" 2>/dev/null; exit 1; }

job=$(sbatch --parsable --ntasks=2 --output="$out/%x-%j.out" scripts/slurm/train.sbatch "$out/recipe.yaml" output="$out/run")
if srun --ntasks=2 --overlap --mpi=none "$trainer" --recipe "$out/recipe.yaml" output="$out/apart" >"$out/log" 2>&1; then
  fail "expected tasks without MPI to be refused"
fi
[ "$(grep -c '^error: Slurm started 2 tasks and MPI sees one: ' "$out/log")" -eq 1 ] || fail "expected one message"
grep -q 'Exited with exit code 2' "$out/log" || fail "expected exit code 2"
[ ! -e "$out/apart" ] || fail "expected no run folder"

ended "$job"
[ "$(job_says "$job" JobState) $(job_says "$job" ExitCode)" = "COMPLETED 0:0" ] || fail "expected a job that is completed"
python3 - "$out/run/summary.json" <<'PYTHON' || fail "expected a run of 2 ranks and 10 steps"
import json, sys
summary = json.load(open(sys.argv[1]))
assert summary["ranks"] == 2 and len(summary["cells"][0]["train"]["losses"]) == 10, summary
PYTHON
