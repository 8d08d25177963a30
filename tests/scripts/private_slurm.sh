# shellcheck shell=bash
# Sourced by tests that need Slurm: a real one of this user's alone, with a munge key, sockets, ports and folders of its own, whose nodes all
# are this machine. Whatever Slurm the machine has is left alone. No cgroups, no accounting.

# find_slurm ROOT: Debian's programs, installed or as scripts/test.sh unpacks them. Sets $slurm_plugins; exits with 77 where they are absent.
find_slurm() {
  local unpacked=$1/.deps/slurm libraries name
  export PATH=$PATH:/usr/sbin:/sbin
  if [ -d "$unpacked" ]; then
    slurm_plugins=$(echo "$unpacked"/usr/lib/*/slurm-wlm)
    export PATH=$unpacked/usr/bin:$unpacked/usr/sbin:$PATH
    libraries=$slurm_plugins:${slurm_plugins%/*}:$(echo "$unpacked"/lib/*-linux-*)
    export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  else
    slurm_plugins=$(echo /usr/lib/*/slurm-wlm)
  fi
  for name in munged mungekey slurmctld slurmd slurmstepd sbatch; do
    if ! command -v "$name" >/dev/null; then
      echo "skipped: needs $name, of Debian's packages munge, slurmctld, slurmd and slurm-client, which scripts/test.sh fetches"
      exit 77
    fi
  done
}

free_ports() {
  python3 - "$1" <<'PYTHON'
import socket, sys
probes = [socket.socket() for _ in range(int(sys.argv[1]))]
for probe in probes:
    probe.bind(("127.0.0.1", 0))
print(*(probe.getsockname()[1] for probe in probes))
PYTHON
}

slurm_daemons=()

# start_slurm FOLDER NODES CPUS: one node with this machine's name, or n1, n2, ..., of so many CPUs each, however many there are.
# Call stop_slurm at exit.
start_slurm() {
  local nodes=$2 cpus=$3 ports names host user n
  slurm=$1/slurm
  read -ra ports < <(free_ports $((nodes + 1)))
  host=$(hostname -s)
  user=$(id -un)
  rm -rf "$slurm"
  mkdir -p "$slurm/controller" "$slurm/munge"
  cat >"$slurm/slurm.conf" <<CONF
ClusterName=entune
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${ports[0]}
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
CredType=cred/munge
# A job that is requeued waits as long as its last credentials are good.
AuthInfo=socket=$slurm/munge/socket,cred_expire=5
PluginDir=$slurm_plugins
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=1
SchedulerType=sched/builtin
# Nodes have what is said here, not what the machine has.
SlurmdParameters=config_overrides
ReturnToService=2
MailProg=/bin/true
KillWait=5
StateSaveLocation=$slurm/controller
SlurmdSpoolDir=$slurm/%n
SlurmctldPidFile=$slurm/controller.pid
SlurmdPidFile=$slurm/%n.pid
TmpFS=$slurm/%n
SlurmctldLogFile=$slurm/controller.log
SlurmdLogFile=$slurm/%n.log
PartitionName=all Nodes=ALL Default=YES MaxTime=00:30:00 State=UP
CONF
  printf '%s\n' CgroupPlugin=cgroup/v1 CgroupAutomount=no ConstrainCores=no ConstrainDevices=no ConstrainRAMSpace=no >"$slurm/cgroup.conf"
  # mpirun starts the ranks of a node that has the machine's name by itself, those of others through srun.
  if [ "$nodes" -eq 1 ]; then names=("$host"); else mapfile -t names < <(seq --format=n%g "$nodes"); fi
  for n in "${!names[@]}"; do
    mkdir "$slurm/${names[n]}"
    echo "NodeName=${names[n]} NodeHostname=$host NodeAddr=127.0.0.1 Port=${ports[n + 1]} CPUs=$cpus RealMemory=1000" >>"$slurm/slurm.conf"
  done
  # What a Slurm job that this test may run in says is not for its own.
  unset "${!SLURM_@}" "${!SBATCH_@}" "${!SRUN_@}"
  export SLURM_CONF=$slurm/slurm.conf

  mungekey --create --keyfile="$slurm/munge/key"
  slurm_daemon munged --foreground --force --socket="$slurm/munge/socket" --key-file="$slurm/munge/key" --seed-file="$slurm/munge/seed" \
    --log-file="$slurm/munge/log" --pid-file="$slurm/munge/pid"
  slurm_wait "munged" munge --no-input --socket="$slurm/munge/socket"
  slurm_daemon slurmctld -D
  slurm_wait "slurmctld" scontrol ping
  for n in "${names[@]}"; do slurm_daemon slurmd -D -N "$n" -d "$(command -v slurmstepd)"; done
  slurm_wait "$nodes idle nodes" slurm_nodes_are_idle "$nodes"
}

slurm_nodes_are_idle() { [ "$(sinfo --noheader --Node --states=idle | wc -l)" -eq "$1" ]; }

# slurm_daemon COMMAND...: in the background, with its output in a file
slurm_daemon() {
  "$@" >>"$slurm/$1.out" 2>&1 </dev/null &
  slurm_daemons+=($!)
}

# slurm_wait WHAT COMMAND...: until it succeeds; within 20 s
slurm_wait() {
  local what=$1
  shift
  for _ in $(seq 200); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  echo "expected $what within 20 s"
  tail -n 20 "$slurm"/*.out "$slurm"/*.log "$slurm"/munge/log
  exit 1
}

# job_says JOB FIELD: of scontrol show job, as JobState, ExitCode, Restarts
job_says() { scontrol --oneliner show job "$1" | grep -oE "(^| )$2=[^ ]*" | head -n 1 | cut -d= -f2; }

# ended JOB: waits for it, however often it is queued again; within two minutes
ended() {
  for _ in $(seq 600); do
    [[ $(job_says "$1" JobState) =~ PENDING|RUNNING|COMPLETING|REQUEUED|CONFIGURING ]] || return 0
    sleep 0.2
  done
  echo "expected an end of job $1 within two minutes"
  exit 1
}

# Ends every job, then the daemons.
stop_slurm() {
  [ ${#slurm_daemons[@]} -gt 0 ] || return 0
  if [ ${#slurm_daemons[@]} -gt 2 ]; then
    scancel --user="$(id -un)" 2>/dev/null || true
    for _ in $(seq 150); do
      squeue --noheader --states=all --format=%T 2>/dev/null | grep -qE 'RUNNING|COMPLETING' || break
      sleep 0.1
    done
  fi
  kill "${slurm_daemons[@]}" 2>/dev/null || true
  wait "${slurm_daemons[@]}" 2>/dev/null || true
  slurm_daemons=()
}
