#!/usr/bin/env python3
"""Writes the dashboards beside it: dashboards/run.json and dashboards/scaling.json. --check: fails if they are not what it would write.

A panel with `"needsGpu": true` shows metrics that only a rank on a GPU has; tests/scripts/prometheus_scrape.py asks every other panel's
queries of a real Prometheus."""

import json
import pathlib
import sys

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
RUN = 'run=~"$run"'
RATE = "[$__rate_interval]"
LOGICAL, SUPERVISED = 'kind="logical"', 'kind="supervised"'
STRICT = 'averaging="micro", match="strict", reading="raw"'
STEP_PHASES = 'phase=~"data|forward|backward|communication|optimizer"'
PRICE_SO_FAR = (
    f"max_over_time(entune_gpu_seconds_total{{{RUN}}}[$__range]) / 3600"
    f" * on (instance) max_over_time(entune_gpu_hour_price_usd{{{RUN}}}[$__range])"
)


def panel(title, description, queries, unit="short", kind="timeseries", width=8, stacked=False, needs_gpu=False, most=None, decimals=None):
    """One panel; queries: (PromQL, legend)."""
    defaults = {"unit": unit, "min": 0}
    if most is not None:
        defaults["max"] = most
    if decimals is not None:
        defaults["decimals"] = decimals
    instant = kind != "timeseries"
    if kind == "timeseries":
        defaults["custom"] = {"lineWidth": 1, "fillOpacity": 70 if stacked else 8, "stacking": {"mode": "normal" if stacked else "none"}}
    made = {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}},
        "targets": [
            {
                "refId": chr(ord("A") + i),
                "datasource": SOURCE,
                "expr": expr,
                "legendFormat": legend,
                "instant": instant,
                "range": not instant,
                **({"format": "table"} if kind == "table" else {}),
            }
            for i, (expr, legend) in enumerate(queries)
        ],
        "gridPos": {"w": width, "h": 4 if kind == "stat" else 8},
    }
    if kind == "bargauge":
        made["options"] = {"orientation": "horizontal", "displayMode": "basic", "reduceOptions": {"calcs": ["lastNotNull"]}}
    if kind == "stat":
        made["options"] = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "none", "graphMode": "none"}
    if kind == "table":
        made["options"] = {}
        hidden = {name: True for name in ("Time", "Value", "__name__", "instance", "job")}
        made["transformations"] = [{"id": "organize", "options": {"excludeByName": hidden}}]
    if needs_gpu:
        made["needsGpu"] = True
    return made


def laid_out(rows):
    """The panels of [(row title, panels)], from left to right and from top to bottom."""
    panels, y = [], 0
    for title, row in rows:
        panels.append({"type": "row", "title": title, "collapsed": False, "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}, "panels": []})
        y, x, height = y + 1, 0, 0
        for one in row:
            size = one["gridPos"]
            if x + size["w"] > 24:
                x, y, height = 0, y + height, 0
            size.update(x=x, y=y)
            x, height = x + size["w"], max(height, size["h"])
            panels.append(one)
        y += height
    for number, one in enumerate(panels):
        one["id"] = number + 1
    return panels


def variable(name, query, many=True):
    return {
        "name": name,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 4,
        "multi": many,
        "includeAll": many,
        "current": {"text": ["All"], "value": ["$__all"]} if many else {},
    }


def dashboard(uid, title, description, variables, rows, since):
    return {
        "uid": uid,
        "id": None,
        "title": title,
        "description": description,
        "tags": ["entune"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "15s",
        "time": {"from": since, "to": "now"},
        "timezone": "",
        "annotations": {"list": []},
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus", "current": {}}, *variables]},
        "panels": laid_out(rows),
    }


def rate(metric, by, labels=""):
    return f"sum by ({by}) (rate({metric}{{{RUN}{', ' + labels if labels else ''}}}{RATE}))"


def run_dashboard():
    return dashboard(
        "entune-run",
        "Entune: a run",
        "One or several fine-tunings while they run.",
        [variable("run", "label_values(entune_steps_total, run)")],
        [
            (
                "Now",
                [
                    panel(
                        "Steps done",
                        "Of the cell that is training.",
                        [(f"max by (run) (entune_steps_total{{{RUN}}})", "{{run}}")],
                        kind="stat",
                        width=4,
                    ),
                    panel(
                        "Steps planned",
                        "Of one cell; a study has several.",
                        [(f"max by (run) (entune_planned_steps{{{RUN}}})", "{{run}}")],
                        kind="stat",
                        width=4,
                    ),
                    panel("Epoch", "Pass over the training texts.", [(f"entune_epoch{{{RUN}}}", "{{run}}")], kind="stat", width=4),
                    panel(
                        "Since the last step",
                        "By the rank that is longest without one. It rises during evaluations too.",
                        [(f"max by (run) (time() - entune_last_step_timestamp_seconds{{{RUN}}})", "{{run}}")],
                        unit="s",
                        kind="stat",
                        width=4,
                    ),
                    panel(
                        "Running for",
                        "Since the run began.",
                        [(f"max by (run) (time() - entune_start_timestamp_seconds{{{RUN}}})", "{{run}}")],
                        unit="s",
                        kind="stat",
                        width=4,
                    ),
                    panel(
                        "Cost",
                        "GPU time at the recipe's price.",
                        [
                            (
                                f"sum by (run) (entune_gpu_seconds_total{{{RUN}}}) / 3600 * on (run) group_left max by (run) (entune_gpu_hour_price_usd{{{RUN}}})",
                                "{{run}}",
                            )
                        ],
                        unit="currencyUSD",
                        kind="stat",
                        width=4,
                        needs_gpu=True,
                    ),
                    panel(
                        "What runs",
                        "The cell, its model and layout, and the hash of its recipe.",
                        [(f"entune_run_info{{{RUN}}}", "")],
                        kind="table",
                        width=16,
                    ),
                    panel(
                        "Ranks by state",
                        "How many ranks start, train, save, evaluate or finish.",
                        [(f"sum by (state) (entune_state{{{RUN}}})", "{{state}}")],
                        stacked=True,
                    ),
                ],
            ),
            (
                "Training",
                [
                    panel(
                        "Loss",
                        "Of the last step, the mean of a window weighted by tokens, and on the validation side.",
                        [
                            (f"entune_loss{{{RUN}}}", "step, {{run}}"),
                            (f"{rate('entune_loss_sum_total', 'run')} / {rate('entune_tokens_total', 'run', SUPERVISED)}", "mean, {{run}}"),
                            (f"entune_validation_loss{{{RUN}}}", "validation, {{run}}"),
                        ],
                    ),
                    panel("Gradient norm", "Before clipping.", [(f"entune_grad_norm{{{RUN}}}", "{{run}}")]),
                    panel("Learning rate", "Of the last step.", [(f"entune_learning_rate{{{RUN}}}", "{{run}}")], unit="sci"),
                    panel(
                        "Texts per training second",
                        "Time of evaluations left out.",
                        [(f"run:entune_samples_per_training_second:rate5m{{{RUN}}}", "{{run}}")],
                        unit="cps",
                    ),
                    panel(
                        "Tokens per training second",
                        "logical: as if nothing were shared; executed: computed; supervised: of answers. Evaluations left out.",
                        [(f"run:entune_tokens_per_training_second:rate5m{{{RUN}}}", "{{kind}}, {{run}}")],
                        unit="cps",
                    ),
                    panel(
                        "Step time",
                        "Mean and 95th percentile.",
                        [
                            (
                                f"{rate('entune_step_duration_seconds_sum', 'run')} / {rate('entune_step_duration_seconds_count', 'run')}",
                                "mean, {{run}}",
                            ),
                            (f"histogram_quantile(0.95, {rate('entune_step_duration_seconds_bucket', 'run, le')})", "95 %, {{run}}"),
                        ],
                        unit="s",
                    ),
                ],
            ),
            (
                "Where the time goes",
                [
                    panel(
                        "Phases of the wall time",
                        "Mean over ranks. The phases are disjoint and add up to one second a second.",
                        [(f"avg by (phase) (rate(entune_step_phase_seconds_total{{{RUN}}}{RATE}))", "{{phase}}")],
                        unit="percentunit",
                        stacked=True,
                        most=1,
                    ),
                    panel(
                        "Work by rank",
                        "Share of each rank's time in data, forward and backward. One that is higher holds the others up.",
                        [(rate("entune_step_phase_seconds_total", "run, rank", 'phase=~"data|forward|backward"'), "rank {{rank}}, {{run}}")],
                        unit="percentunit",
                    ),
                    panel("Slowest rank", "Its work over the median rank's.", [(f"run:entune_slowest_rank:ratio5m{{{RUN}}}", "{{run}}")]),
                    panel(
                        "Exposed communication",
                        "Share of the steps' time in which a rank waits for communication.",
                        [
                            (
                                rate("entune_step_phase_seconds_total", "run", 'phase="communication"')
                                + " / "
                                + rate("entune_step_phase_seconds_total", "run", STEP_PHASES),
                                "{{run}}",
                            )
                        ],
                        unit="percentunit",
                    ),
                    panel(
                        "Payload of collectives",
                        "Of all ranks.",
                        [(rate("entune_comm_bytes_total", "axis, collective"), "{{axis}} {{collective}}")],
                        unit="Bps",
                    ),
                    panel(
                        "Collective calls",
                        "Of all ranks.",
                        [(rate("entune_comm_calls_total", "axis, collective"), "{{axis}} {{collective}}")],
                        unit="cps",
                    ),
                    panel(
                        "Time within collectives",
                        "Of all ranks, what runs beside computation included.",
                        [(rate("entune_comm_seconds_total", "axis, collective"), "{{axis}} {{collective}}")],
                        unit="s",
                    ),
                    panel(
                        "Bus bandwidth",
                        "By rank, as nccl-tests count it: to be held against the link's.",
                        [(f"run_axis_collective:entune_bus_bandwidth:bytes_per_second5m{{{RUN}}}", "{{axis}} {{collective}}, {{run}}")],
                        unit="Bps",
                    ),
                ],
            ),
            (
                "Steps and checkpoints",
                [
                    panel(
                        "Operations a second",
                        "Floating-point operations of the matrix products, all ranks together, wall time.",
                        [(rate("entune_flops_total", "run"), "{{run}}")],
                        unit="flops",
                    ),
                    panel(
                        "MFU",
                        "Operations a second over what the GPUs' measured products reach.",
                        [(f"{rate('entune_flops_total', 'run')} / on (run) sum by (run) (entune_peak_flops_per_second{{{RUN}}})", "{{run}}")],
                        unit="percentunit",
                        needs_gpu=True,
                    ),
                    panel(
                        "Steps not applied, steps clipped",
                        "Whose loss or gradient was not finite, and whose gradient was longer than the recipe allows.",
                        [
                            (rate("entune_skipped_steps_total", "run, reason"), "not applied: {{reason}}, {{run}}"),
                            (rate("entune_clipped_steps_total", "run"), "clipped, {{run}}"),
                        ],
                        unit="cps",
                    ),
                    panel(
                        "Work that a failure would lose",
                        "Time since the last checkpoint.",
                        [(f"time() - entune_last_checkpoint_timestamp_seconds{{{RUN}}}", "{{run}}")],
                        unit="s",
                        width=6,
                    ),
                    panel(
                        "Checkpoints saved",
                        "And those that could not be.",
                        [(f"entune_checkpoints_total{{{RUN}}}", "{{result}}, {{run}}")],
                        width=5,
                    ),
                    panel(
                        "Restarts",
                        "How often Slurm has begun the job anew.",
                        [(f"entune_restarts_total{{{RUN}}}", "{{run}}")],
                        width=5,
                    ),
                ],
            ),
            (
                "Answers",
                [
                    panel(
                        "F1",
                        "Micro, of the last evaluation, by what counts as a match.",
                        [(f'entune_eval_f1_ratio{{{RUN}, averaging="micro", reading="raw"}}', "{{match}} {{split}} {{format}}")],
                        unit="percentunit",
                        most=1,
                    ),
                    panel(
                        "Precision and recall",
                        "Strict, micro, raw and repaired.",
                        [
                            (
                                f'entune_eval_precision_ratio{{{RUN}, averaging="micro", match="strict"}}',
                                "precision {{reading}} {{split}} {{format}}",
                            ),
                            (f'entune_eval_recall_ratio{{{RUN}, averaging="micro", match="strict"}}', "recall {{reading}} {{split}} {{format}}"),
                        ],
                        unit="percentunit",
                        most=1,
                    ),
                    panel(
                        "F1 by label",
                        "Strict, raw; labels that no text of the side has are left out.",
                        [(f'entune_eval_entity_f1_ratio{{{RUN}, reading="raw"}}', "{{entity}} {{split}} {{format}}")],
                        unit="percentunit",
                        most=1,
                    ),
                    panel(
                        "Health of the answers",
                        "Share of answers that were so; one answer can be several.",
                        [(f"entune_eval_answers_ratio{{{RUN}}}", "{{health}} {{split}} {{format}}")],
                        unit="percentunit",
                        most=1,
                    ),
                    panel(
                        "Texts answered per second",
                        "Over all evaluations so far.",
                        [
                            (
                                f"sum by (run, format) (entune_eval_texts_total{{{RUN}}}) / (sum by (run, format) (entune_eval_seconds_total{{{RUN}}}) > 0)",
                                "{{format}}, {{run}}",
                            )
                        ],
                        unit="cps",
                    ),
                    panel(
                        "Tokens generated per second",
                        "Over all evaluations so far.",
                        [
                            (
                                f"sum by (run, format) (entune_eval_generated_tokens_total{{{RUN}}}) / (sum by (run, format) (entune_eval_seconds_total{{{RUN}}}) > 0)",
                                "{{format}}, {{run}}",
                            )
                        ],
                        unit="cps",
                    ),
                ],
            ),
            (
                "Memory",
                [
                    panel(
                        "Memory of the processes",
                        "Resident, by rank.",
                        [(f'entune_host_memory_bytes{{{RUN}, memory="resident"}}', "rank {{rank}}, {{run}}")],
                        unit="bytes",
                    ),
                    panel(
                        "Memory of the GPUs",
                        "By rank: held by tensors, taken from the GPU, and all that it has.",
                        [(f'entune_gpu_memory_bytes{{{RUN}, memory=~"allocated|reserved|capacity"}}', "{{memory}}, rank {{rank}}, {{run}}")],
                        unit="bytes",
                        needs_gpu=True,
                    ),
                    panel(
                        "Allocations in need",
                        "Allocations on GPUs that first had to empty the cache, or failed.",
                        [
                            (rate("entune_alloc_retries_total", "run, rank"), "retried, rank {{rank}}, {{run}}"),
                            (rate("entune_oom_total", "run, rank"), "failed, rank {{rank}}, {{run}}"),
                        ],
                        unit="cps",
                        needs_gpu=True,
                    ),
                    panel(
                        "Builds",
                        "What the ranks' programs were built with: they should agree.",
                        [(f"count by (torch, cuda, compiler) (entune_build_info{{{RUN}}})", "")],
                        kind="table",
                        width=24,
                    ),
                ],
            ),
        ],
        "now-1h",
    )


def scaling_dashboard():
    def best(rule, by="world_size", labels=""):
        """The most that a run of each size reached, at any time of the range."""
        return f"max by ({by}) (max_over_time({rule}{{{RUN}{', ' + labels if labels else ''}}}[$__range]))"

    per_rank = best("run:entune_tokens_per_training_second_and_rank:rate5m", labels=LOGICAL)
    baseline = ', world_size="$baseline"'
    size = "{{world_size}} ranks"
    return dashboard(
        "entune-scaling",
        "Entune: a scaling study",
        "Runs of one recipe on several numbers of ranks, each at its best within the time range. Choose the runs and the size to compare with.",
        [
            variable("run", "label_values(entune_steps_total, run)"),
            variable("baseline", 'label_values(entune_steps_total{run=~"$run"}, world_size)', many=False),
        ],
        [
            (
                "Speed",
                [
                    panel(
                        "Tokens per training second",
                        "Logical tokens, all ranks together.",
                        [(best("run:entune_tokens_per_training_second:rate5m", labels=LOGICAL), size)],
                        unit="cps",
                        kind="bargauge",
                    ),
                    panel("Tokens per training second and rank", "Level bars: perfect scaling.", [(per_rank, size)], unit="cps", kind="bargauge"),
                    panel(
                        "Efficiency",
                        "Tokens per second and rank over those of the size to compare with.",
                        [
                            (
                                f"{per_rank} / on () group_left {best('run:entune_tokens_per_training_second_and_rank:rate5m', labels=LOGICAL + baseline)}",
                                size,
                            )
                        ],
                        unit="percentunit",
                        kind="bargauge",
                    ),
                    panel(
                        "Texts per training second",
                        "All ranks together.",
                        [(best("run:entune_samples_per_training_second:rate5m"), size)],
                        unit="cps",
                        kind="bargauge",
                    ),
                    panel(
                        "Step time",
                        "Mean, the shortest of the range.",
                        [(f"min by (world_size) (min_over_time(run:entune_step_duration_seconds:mean5m{{{RUN}}}[$__range]))", size)],
                        unit="s",
                        kind="bargauge",
                    ),
                    panel(
                        "Tokens per training second over time",
                        "To see that a run has settled.",
                        [(f"run:entune_tokens_per_training_second:rate5m{{{RUN}, {LOGICAL}}}", size + ", {{run}}")],
                        unit="cps",
                    ),
                ],
            ),
            (
                "What it costs",
                [
                    panel(
                        "Exposed communication",
                        "Share of the steps' time, the mean of the range.",
                        [(f"avg by (world_size) (avg_over_time(run:entune_exposed_communication:ratio5m{{{RUN}}}[$__range]))", size)],
                        unit="percentunit",
                        kind="bargauge",
                    ),
                    panel(
                        "Phases",
                        "Share of the wall time, the mean of the range.",
                        [
                            (
                                f"avg by (world_size, phase) (avg_over_time(run_phase:entune_wall_time:ratio5m{{{RUN}}}[$__range]))",
                                "{{phase}}, " + size,
                            )
                        ],
                        unit="percentunit",
                        kind="bargauge",
                    ),
                    panel(
                        "Slowest rank",
                        "Its work over the median rank's, the mean of the range.",
                        [(f"avg by (world_size) (avg_over_time(run:entune_slowest_rank:ratio5m{{{RUN}}}[$__range]))", size)],
                        kind="bargauge",
                        decimals=2,
                    ),
                    panel(
                        "Bus bandwidth",
                        "As nccl-tests count it, by axis and operation.",
                        [
                            (
                                best("run_axis_collective:entune_bus_bandwidth:bytes_per_second5m", "world_size, axis, collective"),
                                "{{axis}} {{collective}}, " + size,
                            )
                        ],
                        unit="Bps",
                        kind="bargauge",
                    ),
                    panel(
                        "Memory of a process",
                        "The most that a rank held.",
                        [(best("entune_host_memory_bytes", labels='memory="resident_peak"'), size)],
                        unit="bytes",
                        kind="bargauge",
                    ),
                    panel(
                        "Memory of a GPU",
                        "The most that a rank's tensors held.",
                        [(best("entune_gpu_memory_bytes", labels='memory="allocated_peak"'), size)],
                        unit="bytes",
                        kind="bargauge",
                        needs_gpu=True,
                    ),
                    panel(
                        "Cost of a run",
                        "GPU time at the recipe's price.",
                        [(f"max by (world_size) ({PRICE_SO_FAR})", size)],
                        unit="currencyUSD",
                        kind="bargauge",
                        needs_gpu=True,
                    ),
                    panel(
                        "Cost of a point of F1",
                        "Strict, micro, raw; GPU time at the recipe's price.",
                        [(f"max by (world_size) ({PRICE_SO_FAR})" f" / on (world_size) (100 * {best('entune_eval_f1_ratio', labels=STRICT)})", size)],
                        unit="currencyUSD",
                        kind="bargauge",
                        needs_gpu=True,
                    ),
                ],
            ),
        ],
        "now-24h",
    )


def main():
    folder = pathlib.Path(__file__).parent / "dashboards"
    stale = []
    for name, made in (("run", run_dashboard()), ("scaling", scaling_dashboard())):
        file, text = folder / f"{name}.json", json.dumps(made, indent=1) + "\n"
        if "--check" not in sys.argv:
            file.write_text(text, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            stale.append(str(file))
    if stale:
        sys.exit(f"not what make_dashboards.py writes: {', '.join(stale)}; change the script and run it")


if __name__ == "__main__":
    main()
