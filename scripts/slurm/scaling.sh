#!/usr/bin/env bash
# Submits a scaling study: for each number of nodes a job that times a recipe's training steps (scaling.sbatch), with its global batch and with
# one that grows with the data ranks. The results lie in runs/<recipe's name>/scaling/; `build/bin/trainer scaling-report` on that folder compares them.
# For other layouts submit again with parallel.tensor=N.
#
#   scaling.sh "NODES..." [--SBATCH-OPTION=VALUE...] RECIPE [KEY=VALUE...]
#
# For instance: scripts/slurm/scaling.sh "1 2 4 8" --ntasks-per-node=8 --gpus-per-node=8 --exclusive recipes/scaling/mistral-7b-lora.yaml
set -euo pipefail

nodes=${1:-}
shift || true
slurm_options=()
while [[ ${1:-} == -* ]]; do
  slurm_options+=("$1")
  shift
done
if ! [[ $nodes =~ ^[0-9\ ]+$ ]] || [ $# -eq 0 ]; then
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2
  exit 2
fi
# shellcheck source=scripts/slurm/launch.sh
source "$(dirname "$0")/launch.sh"
read_arguments "$@"
folder=$(resolved output)/scaling
for count in $nodes; do
  id=$(sbatch --parsable --nodes="$count" "${slurm_options[@]}" "$(dirname "$0")/scaling.sbatch" "$folder" "$@")
  echo "$id: $count nodes, into $folder"
done
