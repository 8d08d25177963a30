# shellcheck shell=bash
# What the scripts of this folder share; they source it. It starts the trainer on the tasks of a Slurm job, passes on the wish to stop, and
# queues the job again. Everything is taken from the folder that the job runs in: submit from the repository's root.
#
#   ENTUNE_TRAINER        the program (default: build/bin/trainer)
#   ENTUNE_LAUNCHER       mpirun (default) or srun, which takes --mpi=pmix and needs a Slurm that has it (srun --mpi=list)
#   ENTUNE_INTERFACE      network interface for MPI and NCCL where a job has several nodes (default: the one that leads to its last node)
#   ENTUNE_TARGETS        folder on a shared file system for Prometheus' file_sd_configs (scripts/prometheus): every rank then listens on all
#                         addresses, and its own is in there while the job runs
#   ENTUNE_MAX_RESTARTS   how often a job may be queued again (default: 100)
trainer=${ENTUNE_TRAINER:-build/bin/trainer}
launcher=${ENTUNE_LAUNCHER:-mpirun}
# Of an array's elements the last one has the array's number as its SLURM_JOB_ID: requeueing that would take all of them.
job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}
job=${job:-${SLURM_JOB_ID:-}}
tasks=${SLURM_NTASKS:-1}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-${SLURM_CPUS_PER_TASK:-1}}

say() { printf '%s: %s\n' "${SLURM_JOB_NAME:-slurm}" "$*" >&2; }

refuse() {
  say "$*"
  exit 2
}

[ -x "$trainer" ] || refuse "expected the program at $trainer, from $PWD; submit from the repository's root, or set ENTUNE_TRAINER"
[ "$launcher" = mpirun ] || [ "$launcher" = srun ] || refuse "ENTUNE_LAUNCHER: expected mpirun or srun, found $launcher"

# read_arguments RECIPE ARGUMENTS...: leaves in `recipe` the first, in `overrides` those that are KEY=VALUE, in `options` the others (--option=value)
read_arguments() {
  recipe=$1
  shift
  overrides=() options=()
  local argument
  for argument in "$@"; do
    case $argument in
      -*) options+=("$argument") ;;
      *) overrides+=("$argument") ;;
    esac
  done
}

# resolved KEY: its value as the recipe and the overrides have it; the trainer's exit code where it refuses them
resolved() {
  local lines
  lines=$("$trainer" show-config --recipe "$recipe" "${overrides[@]}") || return
  sed -n "s/^$1: \(.*[^ ]\)  *# .*/\1/p" <<<"$lines" | sed 's/^"\(.*\)"$/\1/'
}

# One line for each cell of the study: number and name
cells() { "$trainer" show-config --recipe "$recipe" "${overrides[@]}" --cells; }

# MPI tries every interface that a node has, also those that lead nowhere.
name_interface() {
  [ "${SLURM_JOB_NUM_NODES:-1}" -gt 1 ] || return 0
  local interface=${ENTUNE_INTERFACE:-} last address
  if [ -z "$interface" ]; then
    last=$(scontrol show hostnames | tail -n 1)
    address=$(scontrol show node "$last" | sed -n 's/.*NodeAddr=\([^ ]*\).*/\1/p')
    address=$(getent ahosts "$address" | awk 'NR == 1 {print $1}') || true
    interface=$(ip -oneline route get "$address" 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p') || true
  fi
  if [ -z "$interface" ]; then
    say "found no interface that leads to $last; MPI and NCCL choose for themselves. Name one: ENTUNE_INTERFACE"
    return
  fi
  export OMPI_MCA_btl_tcp_if_include=${OMPI_MCA_btl_tcp_if_include:-$interface}
  export OMPI_MCA_oob_tcp_if_include=${OMPI_MCA_oob_tcp_if_include:-$interface}
  export NCCL_SOCKET_IFNAME=${NCCL_SOCKET_IFNAME:-=$interface}
  say "$SLURM_JOB_NUM_NODES nodes, MPI and NCCL on $interface"
}

# Leaves in `telemetry` the overrides by which a Prometheus elsewhere finds the ranks; what the user has said stays.
place_targets() {
  telemetry=()
  [ -n "${ENTUNE_TARGETS:-}" ] || return 0
  mkdir -p "$ENTUNE_TARGETS" || refuse "ENTUNE_TARGETS: cannot make $ENTUNE_TARGETS"
  local said=" ${overrides[*]}"
  [[ $said == *" telemetry.metrics.targets_file="* ]] || telemetry+=("telemetry.metrics.targets_file=$ENTUNE_TARGETS/slurm-$job.json")
  [[ $said == *" telemetry.metrics.bind="* ]] || telemetry+=("telemetry.metrics.bind=0.0.0.0")
}

note_idle_gpus() {
  local on_node=${SLURM_TASKS_PER_NODE%%[(,]*}
  if [ "${SLURM_GPUS_ON_NODE:-$on_node}" != "$on_node" ]; then
    say "$SLURM_GPUS_ON_NODE GPUs and $on_node tasks on this node: a task uses one GPU. Give --ntasks-per-node=$SLURM_GPUS_ON_NODE"
  fi
}

# begin_job RECIPE ARGUMENTS...: what every batch script does first
begin_job() {
  [ -n "$job" ] || refuse "no Slurm job: submit this script by sbatch"
  read_arguments "$@"
  name_interface
  note_idle_gpus
  place_targets
}

# launch ARGUMENTS...: the trainer on all tasks of the job; leaves its exit code in `status`. SIGUSR1 and SIGTERM to this shell become SIGUSR1 for
# the ranks, upon which a training saves and ends with 85.
launch() {
  local command
  case $launcher in
    # Slurm's tasks on each node are OpenMPI's slots. Ranks are not bound within them: they have threads.
    mpirun)
      command=(mpirun -np "$tasks" --bind-to none -x OMP_NUM_THREADS)
      [ -z "${NCCL_SOCKET_IFNAME:-}" ] || command+=(-x NCCL_SOCKET_IFNAME)
      ;;
    # --kill-on-bad-exit makes 143 of 85 where ranks do not end at the same moment; without --wait a dead rank leaves the others waiting.
    # srun of 22.05 and later does not take --cpus-per-task from the job.
    srun)
      command=(srun --mpi=pmix --ntasks="$tasks" --export=ALL --kill-on-bad-exit=0 --wait=10)
      [ -z "${SLURM_CPUS_PER_TASK:-}" ] || command+=(--cpus-per-task="$SLURM_CPUS_PER_TASK")
      ;;
  esac
  "${command[@]}" "$trainer" "$@" &
  local pid=$! signalled=true
  trap 'signalled=true; kill -USR1 $pid 2>/dev/null || true' USR1 TERM
  while $signalled; do  # a trap ends wait early
    signalled=false
    status=0
    wait "$pid" || status=$?
  done
  trap '' USR1 TERM  # what comes now must not keep the job from being queued again
}

# progress FOLDER: names what its cells have come to: checkpoints and results
progress() { find "$1" 2>/dev/null | grep -E '/step_[0-9]+$|/cell\.json$' | sort; }

# train FOLDER ARGUMENTS...: the recipe's training, gone on with; its run folder is $output. The job is queued again where the ranks ask for it and have brought the cells in
# FOLDER further. Ends this shell with the ranks' exit code.
train() {
  local folder=$1 before began why limit=${ENTUNE_MAX_RESTARTS:-100} restarts=${SLURM_RESTART_COUNT:-0}
  shift
  before=$(progress "$folder") || true
  began=$(date +%s)
  launch --recipe "$recipe" "${options[@]}" "${overrides[@]}" "${telemetry[@]}" --resume auto "$@"
  # srun ends the rank that hung, and gives its code in place of the others' 86.
  # shellcheck disable=SC2154
  if [ "$status" -ge 128 ] && [ -n "$(find "$output" -maxdepth 1 -name 'hang-rank-*.txt' -newermt "@$began" 2>/dev/null)" ]; then status=86; fi
  case $status in
    85) why="saved before its end" ;;
    86) why="a rank hung (exit code 86)" ;;
    0) exit 0 ;;
    *)
      say "the trainer ended with $status; the job is not queued again"
      exit "$status"
      ;;
  esac
  if [ "$(progress "$folder")" = "$before" ]; then
    say "$why, and no checkpoint or result in $folder is newer than this start (restart $restarts); the job is not queued again"
  elif [ "$restarts" -ge "$limit" ]; then
    say "$why, after $restarts restarts of the $limit that ENTUNE_MAX_RESTARTS allows; the job is not queued again"
  elif scontrol requeue "$job"; then
    say "$why: queued again, restart $((restarts + 1))"
  else
    say "$why, and Slurm does not queue the job again (was it submitted with --no-requeue?); submit the same to go on"
  fi
  exit "$status"
}
