#!/usr/bin/env python3
"""Ranks that stop, hang, die or work long, under mpirun. watchdog.py ROOT BUILD [all]

One rank is stopped (SIGSTOP) in a given phase, as its own record says, which is the last word before and after the stop: the job must be over
within the limit and 5 s, with exit code 86, and say on one line which rank it was and where. With `all` every phase, and 4 ranks; without it three.
Then: a rank that blocks in a system call is named by itself; one that works for longer than the collectives' limit is waited for; one that is
killed, or told to end, ends the job at once, and what is saved is whole."""

import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

ROOT, BUILD = (pathlib.Path(a) for a in sys.argv[1:3])
ALL = sys.argv[3:] == ["all"]
TRAINER = BUILD / "bin" / "trainer"
LIMIT = 4
# trainer/telemetry/pulse.h
PHASES = "start load data forward backward communication optimizer checkpoint evaluation export report finish".split()
OUT = pathlib.Path(tempfile.mkdtemp(prefix="watchdog-"))


class Failed(Exception):
    pass


def tiny_run(name, steps_per_epoch, epochs):
    out = OUT / name
    script = f'set -e; source {ROOT}/tests/trainer/commands/tiny_run.sh; tiny_run {ROOT} {BUILD} {out} {steps_per_epoch} {epochs}'
    out.mkdir()
    subprocess.run(["bash", "-c", script], check=True, stdout=subprocess.DEVNULL)
    return out / "recipe.yaml"


class Job:
    """A run under mpirun, in the background."""

    count = 0

    def __init__(self, recipe, ranks, *arguments, output=None):
        Job.count += 1
        self.ranks = ranks
        self.output = output or OUT / f"run-{Job.count}"
        self.log = OUT / f"log-{Job.count}"
        with self.log.open("wb") as log:
            self.mpirun = subprocess.Popen(
                ["mpirun", "--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1", "-np", str(ranks),
                 str(TRAINER), "--recipe", str(recipe), f"output={self.output}", *arguments], stdout=log, stderr=log)

    def record(self, rank):
        """(process, phase) of a rank, or nothing."""
        try:
            with open(self.output / "watchdog" / f"rank-{rank}", "rb", buffering=0) as file:
                data = file.read(96)
        except OSError:
            return None
        if len(data) < 96:
            return None
        _, phase = struct.unpack_from("QQ", data, 0)
        (process,) = struct.unpack_from("q", data, 88)
        return (process, PHASES[phase]) if process else None

    def stop(self, rank, phase):
        """Stops the rank while it is in `phase`; returns its process, or nothing if it never was."""
        while self.mpirun.poll() is None:
            found = self.record(rank)
            if not found or found[1] != phase:
                continue
            try:
                os.kill(found[0], signal.SIGSTOP)
                if self.record(rank) == found:
                    return found[0]
                os.kill(found[0], signal.SIGCONT)
            except ProcessLookupError:
                return None
        return None

    def until(self, rank, phase):
        while self.mpirun.poll() is None:
            found = self.record(rank)
            if found and found[1] == phase:
                return found[0]
        raise Failed("the run ended too early")

    def ends(self, seconds):
        """Its exit code."""
        try:
            return self.mpirun.wait(seconds)
        except subprocess.TimeoutExpired:
            self.mpirun.kill()
            raise Failed(f"not over after {seconds} s")

    def said(self):
        return [line for line in self.log.read_text(errors="replace").splitlines() if "watchdog: " in line]


def expect(condition, what):
    if not condition:
        raise Failed(what)


LIMITS = [f"watchdog.collective_seconds={LIMIT}", f"watchdog.step_seconds={3 * LIMIT}"]


def is_there(process):
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def stopped(recipe, ranks, rank, phase, *arguments):
    """One rank is stopped."""
    for _ in range(6):
        job = Job(recipe, ranks, *LIMITS, *arguments)
        process = job.stop(rank, phase)
        if process:
            break
        job.mpirun.wait()
    else:
        raise Failed("never caught in it")
    begin = time.monotonic()
    code = job.ends(LIMIT + 15)
    took = time.monotonic() - begin
    expect(code == 86, f"exit code {code}")
    expect(took <= LIMIT + 5, f"over after {took:.1f} s")
    said = job.said()
    expect(len(said) == 1, f"expected one line, found {said}")
    line = said[0]
    expect(line.startswith("watchdog: ") and f"rank {rank} (" in line and f"process {process})" in line, line)
    expect("does not run" in line and f"it was in {phase}" in line, line)
    file = pathlib.Path(line.rsplit("more in ", 1)[1])
    text = file.read_text()
    expect(f"rank {rank}: {phase}" in text and "last collectives of rank" in text, text)
    expect(not is_there(process), "the stopped rank is still there")
    print(f"{ranks} ranks, rank {rank} stopped in {phase}: over after {took:.1f} s", flush=True)


def blocked(recipe):
    """Rank 0 waits for ever for somebody to open the other end of what should be a file."""
    output = OUT / "blocked"
    (output / "cells" / "tiny").mkdir(parents=True)
    os.mkfifo(output / "cells" / "tiny" / "steps.jsonl")
    job = Job(recipe, 2, "watchdog.collective_seconds=2", f"watchdog.step_seconds={LIMIT}", "--resume", "auto", output=output)
    code = job.ends(60)
    expect(code == 86, f"exit code {code}")
    said = job.said()
    expect(len(said) == 1 and "rank 0 (" in said[0] and "runs, but its work has not gone on" in said[0], f"{said}")
    print(said[0])


def long_work(recipe):
    """What one rank alone does longer than the collectives' limit."""
    begin = time.monotonic()
    job = Job(recipe, 2, "watchdog.collective_seconds=1", "watchdog.step_seconds=120", "evaluation.bootstrap=1000000",
              "evaluation.splits=[train]", "training.epochs=1")
    worker = job.until(0, "report")
    began = time.monotonic()
    code = job.ends(120)
    took = time.monotonic() - began
    expect(code == 0, f"exit code {code}: {job.said()}")
    expect(took > 1.5, f"rank 0 (process {worker}) worked for {took:.1f} s only: nothing is shown")
    expect(not (job.output / "watchdog").exists(), "records are left")
    print(f"one rank at work for {took:.1f} s: waited for ({time.monotonic() - begin:.1f} s in all)")


def killed(recipe, number):
    job = Job(recipe, 2, *LIMITS)
    while not list(job.output.glob("cells/tiny/checkpoints/step_*")):
        expect(job.mpirun.poll() is None, "the run ended too early")
    os.kill(job.record(1)[0], number)
    begin = time.monotonic()
    code = job.ends(30)
    took = time.monotonic() - begin
    expect(code not in (0, 85, 86), f"exit code {code}")
    expect(took < 5, f"over after {took:.1f} s")
    subprocess.run([TRAINER, "checkpoints", "verify", job.output], check=True, stdout=subprocess.DEVNULL)
    print(f"signal {number} to a rank: over after {took:.1f} s, exit code {code}")


def main():
    short, steady = tiny_run("short", 3, 1), tiny_run("steady", 20, 20)
    # Phases of a step come again and again; the others once, and are over in milliseconds.
    cases = [(steady, 2, 1, "backward"), (short, 2, 0, "report", "evaluation.bootstrap=300000"), (short, 2, 1, "start"), (short, 2, 1, "finish")]
    if ALL:
        cases += [(steady, 2, i % 2, phase) for i, phase in enumerate(PHASES[2:8])]
        cases += [(short, 2, 1, "load"), (short, 2, 1, "evaluation"), (short, 2, 0, "export"), (short, 2, 0, "start")]
        cases += [(steady, 4, 2, phase, "parallel.tensor=2") for phase in ("forward", "communication", "checkpoint")]
        cases += [(steady, 4, 3, "data"), (short, 4, 3, "evaluation"), (short, 4, 0, "load")]
    failures = 0
    checks = [(stopped, *case) for case in cases]
    checks += [(blocked, short), (long_work, steady), (killed, steady, signal.SIGKILL), (killed, steady, signal.SIGTERM)]
    for check, *arguments in checks:
        try:
            check(*arguments)
        except (Failed, subprocess.CalledProcessError) as failure:
            failures += 1
            print(f"FAILED: {check.__name__} {arguments}: {failure}", flush=True)
            print((OUT / f"log-{Job.count}").read_text(errors="replace"), flush=True)
    if not os.environ.get("KEEP"): shutil.rmtree(OUT, ignore_errors=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
