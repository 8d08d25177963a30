#!/usr/bin/env bash
# A scaling study: `trainer benchmark` of one recipe on several numbers of ranks and layouts, strong (the same texts a step at every size) and
# weak (as many for each data rank), then `trainer scaling-report` on all that is there. A layout that the model cannot have is named and
# passed over; a size that was measured before stays, and counts as one more round.
#
#   scaling.sh RECIPE [KEY=VALUE...]     recipes/scaling/*.yaml; overrides of it
#   RANKS="1 2 4"                        sizes (default: 1, 2, 4, ... up to this machine's cores or GPUs)
#   TENSOR="1 2 4 8"                     tensor ranks; those that divide a size are tried
#   MODES="strong weak"  ROUNDS=1  STEPS=4  WARMUP=1
#   LAUNCH="mpirun ... -np"              what starts N ranks, with N behind it; under Slurm take scripts/slurm/scaling.sh
#   THREADS=1                            of each rank, so that a rank is a core wherever there is no GPU
#   SCORES=DIR                           a finished run of the recipe: what a point of F1 costs
#   OUT=DIR                              default runs/scaling/<recipe>
set -euo pipefail
recipe=${1:?expected a recipe, such as recipes/scaling/smollm2-lora.yaml}
shift
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
trainer=${ENTUNE_BUILD_DIR:-build}/bin/trainer
[ -x "$trainer" ] || { echo "scaling.sh: expected a build in ${ENTUNE_BUILD_DIR:-build}; run scripts/quickstart.sh or scripts/test.sh first" >&2; exit 2; }
units=$(nvidia-smi -L 2>/dev/null | grep -c ^GPU || true)
[ "$units" -gt 0 ] || units=$(nproc)
sizes=1
for ((n = 2; n <= units; n *= 2)); do sizes+=" $n"; done
out=${OUT:-runs/scaling/$(basename "$recipe" .yaml)}
mkdir -p "$out"
export OMP_NUM_THREADS=${THREADS:-1} OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
read -ra launch <<<"${LAUNCH:-mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -np}"
log=$out/last.log
for round in $(seq "${ROUNDS:-1}"); do
  for ranks in ${RANKS:-$sizes}; do
    for tensor in ${TENSOR:-1 2 4 8}; do
      ((ranks % tensor == 0)) || continue
      for mode in ${MODES:-strong weak}; do
        name=$mode-ranks$ranks-tensor$tensor
        number=1
        while [ -e "$out/$name-$number.json" ]; do number=$((number + 1)); done
        flags=()
        [ "$mode" = strong ] || flags=(--weak)
        rc=0
        "${launch[@]}" "$ranks" "$trainer" benchmark --recipe "$recipe" --steps "${STEPS:-4}" --warmup "${WARMUP:-1}" "${flags[@]}" \
          --output "$out/.part" "$@" "parallel.tensor=$tensor" >"$log" 2>&1 || rc=$?
        if [ "$rc" -eq 2 ]; then
          echo "round $round: $name: passed over: $(grep -m 1 '^error' "$log" || tail -n 1 "$log")"
          continue
        elif [ "$rc" -ne 0 ]; then
          tail -n 20 "$log" >&2
          exit "$rc"
        fi
        mv "$out/.part" "$out/$name-$number.json"
        echo "round $round: $name: $(grep '^tokens/s' "$log")"
      done
    done
  done
done
rm -f "$out/.part" "$log"
"$trainer" scaling-report "$out" ${SCORES:+--scores "$SCORES"}
