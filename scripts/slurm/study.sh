#!/usr/bin/env bash
# Submits a study: a job array with an element for each cell (study.sbatch), then a job that writes summary.json and report.html when all have ended.
#
#   study.sh [--SBATCH-OPTION=VALUE...] RECIPE [KEY=VALUE...]
#
# For instance: scripts/slurm/study.sh --ntasks-per-node=8 --gpus-per-node=8 --time=8:00:00 recipes/article.yaml
set -euo pipefail

slurm_options=() report_options=()
while [[ ${1:-} == -* ]]; do
  slurm_options+=("$1")
  case $1 in --partition=* | --account=* | --qos=* | --reservation=*) report_options+=("$1") ;; esac
  shift
done
[ $# -gt 0 ] || {
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2
  exit 2
}
# shellcheck source=scripts/slurm/launch.sh
source "$(dirname "$0")/launch.sh"
read_arguments "$@"
names=$(cells)
output=$(resolved output)
array=$(sbatch --parsable --array="0-$(($(wc -l <<<"$names") - 1))" "${slurm_options[@]}" "$(dirname "$0")/study.sbatch" "$@")
# Where there are several clusters: ID;CLUSTER.
report=$(sbatch --parsable --dependency="afterany:${array%%;*}" --job-name=entune-report --output=%x-%j.out "${report_options[@]}" \
  --wrap "$(printf '%q ' "$trainer" report "$output")")
printf '%s\n\n%s: these cells; %s: the report, into %s\n' "$names" "$array" "$report" "$output"
