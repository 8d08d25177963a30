#!/usr/bin/env bash
# kill_rounds.sh N [SEED]: N times, a tiny training on 2 ranks loses one of them to kill -9 and is resumed. A third of the kills fall inside a
# save, the others evenly over the training. After each kill every checkpoint that is there must be whole (else: torn), and the resumed run must
# leave the adapter and the losses of a run that was never killed, byte for byte (else: unequal). The last line is
# "N rounds, 0 torn, 0 unequal"; exit code 1 for any other numbers. Needs a build with its tests (ENTUNE_BUILD_DIR, default build).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
rounds=${1:?expected a number of rounds}
seed=${2:-$RANDOM}
build=${ENTUNE_BUILD_DIR:-build}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# shellcheck source=tests/trainer/commands/tiny_run.sh
source tests/trainer/commands/tiny_run.sh
tiny_run "$PWD" "$build" "$out" 20 10
python3 - "$rounds" "$seed" "$trainer" "$out" <<'PYTHON'
import glob, json, os, random, shutil, signal, subprocess, sys, time

rounds, seed, trainer, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
choose = random.Random(seed)
mpirun = ["mpirun", "--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1", "-np", "2"]


def start(run, *more):
    log = open(f"{run}.log", "a")
    return subprocess.Popen(mpirun + [trainer, "--recipe", f"{out}/recipe.yaml", f"output={run}", *more], stdout=log, stderr=log)


def ranks_of(job):
    return [int(pid) for task in glob.glob(f"/proc/{job.pid}/task/*/children") for pid in open(task).read().split()]


def steps(run):
    try:
        return open(f"{run}/cells/tiny/steps.jsonl").read().count("\n")
    except FileNotFoundError:
        return 0


def being_saved(run):
    """The step whose save is under way, or nothing."""
    try:
        for name in os.listdir(f"{run}/cells/tiny/checkpoints"):
            if name.endswith(".partial"):
                return name
    except FileNotFoundError:
        pass


def wait_until(job, condition):
    while not condition():
        if job.poll() is not None:
            return False
        time.sleep(0.0002)
    return True


def result(run):
    records = [json.loads(line) for line in open(f"{run}/cells/tiny/steps.jsonl")]
    for record in records:
        del record["seconds"]
    return open(f"{run}/cells/tiny/adapter/adapter_model.safetensors", "rb").read(), records


# The run that nobody kills, and how long its training and its saves take.
uncut = f"{out}/uncut"
job = start(uncut)
assert wait_until(job, lambda: steps(uncut) > 0), open(f"{uncut}.log").read()
begin, saves, was_saving = time.time(), [], None
while job.poll() is None and steps(uncut) < 200:
    saving = being_saved(uncut)
    if saving and saving != was_saving:
        saves.append([time.time(), time.time()])
    elif saving:
        saves[-1][1] = time.time()
    was_saving = saving
    time.sleep(0.0005)
training_seconds = time.time() - begin
save_seconds = sorted(end - begin for begin, end in saves)[len(saves) // 2]
assert job.wait() == 0, open(f"{uncut}.log").read()
expected = result(uncut)
print(f"seed {seed}; training takes {training_seconds:.1f} s, a save {save_seconds * 1000:.0f} ms (median)", flush=True)

torn = unequal = resumed = missed = 0
killed_in = {"save": 0, "training": 0}
number = 0
while number < rounds:
    run = f"{out}/round"
    shutil.rmtree(run, ignore_errors=True)
    open(f"{run}.log", "w").close()
    wants_save = number % 3 == 0
    job = start(run)
    wait_until(job, lambda: steps(run) > 0)
    ranks = ranks_of(job)
    if wants_save:
        wanted = f".step_{choose.randrange(1, 41) * 5:07}.partial"
        reached = wait_until(job, lambda: being_saved(run) == wanted)
        time.sleep(choose.uniform(0, save_seconds))
    else:
        reached = True
        time.sleep(choose.uniform(0, training_seconds))
    if not reached or job.poll() is not None or len(ranks) != 2 or os.path.exists(f"{run}/cells/tiny/cell.json"):
        missed += 1  # over before it could be killed
        job.wait()
        assert missed <= 3 * rounds + 10, "trainings and saves are over too soon to be killed"
        continue
    os.kill(choose.choice(ranks), signal.SIGKILL)
    assert job.wait() != 0
    phase = "save" if being_saved(run) else "training"
    if wants_save and phase != "save":
        missed += 1  # the save was over; checked all the same
    else:
        killed_in[phase] += 1
        number += 1
    verify = subprocess.run([trainer, "checkpoints", "verify", run], capture_output=True, text=True)
    if verify.returncode != 0:
        torn += 1
        print(f"round {number}, killed in {phase}: {verify.stdout}{verify.stderr}", flush=True)
    if start(run, "--resume", "auto").wait() != 0 or result(run) != expected:
        unequal += 1
        print(f"round {number}, killed in {phase}: unequal\n{open(f'{run}.log').read()}", flush=True)
    resumed += "resumed from" in open(f"{run}.log").read()

print(f"killed inside a save: {killed_in['save']}, elsewhere: {killed_in['training']}; resumed from a checkpoint: {resumed}; "
      f"done again, as the save or the training was over before the kill: {missed}")
print(f"{rounds} rounds, {torn} torn, {unequal} unequal")
sys.exit(1 if torn or unequal else 0)
PYTHON
