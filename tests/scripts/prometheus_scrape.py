#!/usr/bin/env python3
"""prometheus_scrape.py SOURCE BUILD: a training of two ranks under a real Prometheus, with what scripts/prometheus ships.

Requires: the catalog and a rank's final snapshot pass promtool's checks, as do the rules, with their tests; the run's targets file is found,
and goes with the run; every query of every dashboard panel that needs no GPU has data; the phases add up to the wall time.
Exit 77 (skipped) without Prometheus."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

SOURCE, BUILD = (pathlib.Path(arg).resolve() for arg in sys.argv[1:3])
TRAINING_SECONDS = 22  # Prometheus takes up to ten to begin with new targets
SCRAPE = "500ms"
MPIRUN = ["mpirun", "--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1", "-np", "2"]


def program(name):
    found = shutil.which(name, path=f"{os.environ['PATH']}:{SOURCE}/.deps/prometheus/usr/bin")
    if found is None:
        print(f"skipped: needs {name}, from Debian's package prometheus, which scripts/test.sh fetches")
        sys.exit(77)
    return found


def expect(condition, message):
    if not condition:
        raise SystemExit(f"expected {message}")


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    expect(done.returncode == 0, f"success of {' '.join(map(str, command))}:\n{done.stdout}")
    return done.stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_run(out):
    """A tiny model, texts and a recipe; returns the command that trains for so many epochs."""
    run(BUILD / "bin/write_tiny_model", out / "model")
    with open(out / "texts.jsonl", "w", encoding="utf-8") as file:
        for i in range(40):
            name, age = "Ida", str(20 + i)  # so alike that a tiny model learns to name entities at all
            text = f"{name} turned {age}"
            entities = [{"start": 0, "end": len(name), "label": "PERSON"}, {"start": len(name) + 8, "end": len(name) + 8 + len(age), "label": "AGE"}]
            file.write(json.dumps({"id": f"t{i}", "text": text, "template_id": f"g{i}", "entities": entities}) + "\n")
    (out / "recipe.yaml").write_text(
        f"""
name: under-prometheus
model: {{path: {out}/model, chat: chatml, dtype: float32}}
data: {{train: {out}/texts.jsonl, split: {{train: 24, validation: 4, test: 4}}}}
labels: {{PERSON: name of a person, AGE: age of a person}}
task: {{prompt: minimal}}
training: {{method: full, optimizer: {{lr: 5.0e-3}}, global_batch: 8, evaluate_every: 60}}
generation: {{max_new_tokens: 48}}
export: hf
""",
        encoding="utf-8",
    )

    def command(name, epochs, *overrides):
        return [
            *MPIRUN,
            str(BUILD / "bin/trainer"),
            "--recipe",
            str(out / "recipe.yaml"),
            f"output={out}/{name}",
            f"training.epochs={epochs}",
            *overrides,
        ]

    return command


def series(snapshot):
    """'name{labels}' -> value of a page of metrics."""
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in snapshot.read_text().splitlines() if not line.startswith("#")}


def check_snapshots(folder, promtool, begin, end, num_steps):
    run(promtool, "check", "metrics", stdin=open(folder / "rank-0.prom", encoding="utf-8"))
    expect(sorted(path.name for path in folder.iterdir()) == ["rank-0.prom", "rank-1.prom"], f"a snapshot of each rank in {folder}")
    for rank in range(2):
        values = series(folder / f"rank-{rank}.prom")
        phase = {key.split('"')[1]: value for key, value in values.items() if key.startswith("entune_step_phase_seconds_total")}
        wall = end - values["entune_start_timestamp_seconds"]
        expect(begin < values["entune_start_timestamp_seconds"] < end, "a start within the run")
        # `end` is read after MPI has ended.
        expect(0.99 * (wall - 1.0) < sum(phase.values()) < 1.01 * wall, f"phases that add up to {wall} s, found {phase}")
        in_steps = sum(phase[name] for name in ("data", "forward", "backward", "communication", "optimizer"))
        expect(
            abs(in_steps / values["entune_step_duration_seconds_sum"] - 1) < 0.01, f"phases of steps that add up to the steps' time, found {phase}"
        )
        expect(phase["communication"] > 0 and phase["evaluation"] > 0, f"communication and evaluation, found {phase}")
        expect(values["entune_steps_total"] == num_steps, f"{num_steps} steps, found {values['entune_steps_total']}")
        expect(values['entune_state{state="finish"}'] == 1, "a finished rank")
        expect(("entune_loss" in values) == (rank == 0), "the run's figures on rank 0 alone")
        # Every step reduces the gradients over the two data ranks; nothing has a tensor axis.
        expect(values['entune_comm_calls_total{axis="data",collective="reduce_scatter"}'] >= num_steps, "a collective a step")
        expect(values['entune_comm_calls_total{axis="tensor",collective="all_reduce"}'] == 0, "no collective on the axis of one rank")


def panels(file):
    dashboard = json.loads(file.read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"], panel.get("needsGpu", False)
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield f"variable {variable['name']}", re.fullmatch(r"label_values\((.*), \w+\)", variable["query"]["query"]).group(1), False


class Prometheus:
    def __init__(self, binary, out):
        self.folder, self.port = out / "prometheus", free_port()
        shutil.copytree(SOURCE / "scripts/prometheus", self.folder)
        (self.folder / "targets").mkdir()
        config = self.folder / "prometheus.yml"
        config.write_text(re.sub(r"(scrape_interval|evaluation_interval): \S+", rf"\1: {SCRAPE}", config.read_text()))
        self.log = open(out / "prometheus.log", "w", encoding="utf-8")
        self.process = subprocess.Popen(
            [binary, f"--config.file={config}", f"--storage.tsdb.path={out}/tsdb", f"--web.listen-address=127.0.0.1:{self.port}"],
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    def ask(self, path, **arguments):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(arguments)}", timeout=20) as answer:
            return json.load(answer)["data"]

    def wait_until_ready(self):
        for _ in range(100):
            try:
                self.ask("status/buildinfo")
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"Prometheus did not start:\n{pathlib.Path(self.log.name).read_text()}")

    def values(self, expression, begin, end):
        """All numbers that a query has between two moments, NaN left out."""
        for variable, value in (("$__rate_interval", "5s"), ("$__range", "5m"), ("$run", ".*"), ("$baseline", "2")):
            expression = expression.replace(variable, value)
        expect("$" not in expression, f"no other variables in {expression}")
        found = self.ask("query_range", query=expression, start=begin, end=end, step=1)["result"]
        return [number for one in found for number in (float(value) for _, value in one["values"]) if number == number]

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)
        self.log.close()


def main():
    prometheus, promtool = program("prometheus"), program("promtool")
    run(sys.executable, SOURCE / "scripts/grafana/make_dashboards.py", "--check")
    run(promtool, "check", "rules", "rules.yml", "alerts.yml", cwd=SOURCE / "scripts/prometheus")
    run(promtool, "test", "rules", "rules.test.yml", cwd=SOURCE / "scripts/prometheus")
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder)
        train = write_run(out)
        server = Prometheus(prometheus, out)
        try:
            server.wait_until_ready()
            run(promtool, "check", "config", server.folder / "prometheus.yml")
            check_run(server, train, out, promtool)
        finally:
            server.stop()


def check_run(server, train, out, promtool):
    # How long an epoch takes. With the exporter off: nothing listens, nothing is timed, but there is a snapshot.
    begin = time.time()
    off = run(*train("off", 30, "telemetry.metrics.enabled=false"))
    values = series(out / "off/metrics/rank-0.prom")
    expect("warning" not in off and values["entune_steps_total"] == 90, f"a quiet run of 90 steps, found {off}")
    expect(not any(name.startswith(("entune_step_phase", "entune_comm")) for name in values), "no times that were not measured")
    epochs = int(TRAINING_SECONDS * 30 / (values["entune_last_step_timestamp_seconds"] - values["entune_start_timestamp_seconds"])) + 1

    begin, targets = time.time(), server.folder / "targets/run.json"
    with open(out / "log", "w", encoding="utf-8") as log:
        job = subprocess.Popen(
            train("on", epochs, f"telemetry.metrics.targets_file={targets}", "telemetry.gpu_hour_price_usd=2"), stdout=log, stderr=log
        )
        while job.poll() is None and not targets.exists():
            time.sleep(0.05)
        listed = json.loads(targets.read_text()) if targets.exists() else []
        job.wait(timeout=150)
    end = time.time()
    expect(job.returncode == 0, f"a run that ends well:\n{(out / 'log').read_text()}")
    expect(
        [(one["labels"]["rank"], one["labels"]["world_size"], one["labels"]["run"]) for one in listed]
        == [("0", "2", "under-prometheus"), ("1", "2", "under-prometheus")],
        f"the targets of both ranks, found {listed}",
    )
    expect(not targets.exists(), "no targets when the run is over")
    check_snapshots(out / "on/metrics", promtool, begin, end, 3 * epochs)

    expect(max(server.values("count(up == 1)", begin, end)) == 2, "both ranks scraped")
    # Prometheus takes seconds to hear that a target is gone.
    expect(not server.values("up == 0", begin, end - 3), "ranks that answer as long as the run lasts")
    num_queries, without = 0, []
    for dashboard in sorted((SOURCE / "scripts/grafana/dashboards").glob("*.json")):
        for title, expression, needs_gpu in panels(dashboard):
            found = server.values(expression, begin, end)  # in any case: the query must be valid
            num_queries += 1
            if not found and not needs_gpu:
                without.append(f"{dashboard.name}: {title}: {expression}")
    expect(not without, "data from\n" + "\n".join(without))
    expect(num_queries > 40, f"more queries than {num_queries}")
    print(f"{num_queries} queries; a run of {end - begin:.0f} s, {3 * epochs} steps")


if __name__ == "__main__":
    main()
