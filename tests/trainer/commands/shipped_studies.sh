#!/usr/bin/env bash
# The shipped studies on 2 ranks with the real model and few texts: every cell trains (or is left as it is), answers and is scored, and
# the report compares all pairs (seed 5 splits them so that a held-out label stands in the 12 test texts). Exit 77 (skipped) without the model.
# shellcheck source=tests/trainer/commands/real_model.sh
source "$(dirname "$0")/real_model.sh"
for study in formats loss_mask prompt; do
  echo "[$SECONDS s] $study"
  mpirun --oversubscribe --bind-to none -np 2 "$trainer" --recipe "recipes/studies/$study.yaml" 'study.seed=[1]' data.split.train=6 \
    data.split.validation=2 data.split.test=12 data.split.seed=5 training.epochs=1 training.global_batch=2 generation.max_new_tokens=24 \
    evaluation.bootstrap=100 output="$out/$study"
done
python3 - "$out" <<'PYTHON'
import json, sys
def summary_of(study):
    return json.load(open(f"{sys.argv[1]}/{study}/summary.json"))
for study, num_cells in (("formats", 10), ("loss_mask", 3), ("prompt", 4)):
    summary = summary_of(study)
    cells = {cell["name"]: cell for cell in summary["cells"] if cell["name"] != "patterns"}
    assert len(cells) == num_cells, list(cells)
    corpora = {json.dumps(cell["corpus"], sort_keys=True) for cell in cells.values()}
    assert len(corpora) == 1, f"{study}: cells with different texts: {corpora}"
    for name, cell in cells.items():
        assert cell["scores"]["test"]["health"]["answers"] == 12, name
        assert ("train" in cell) == (cell["method"] != "none"), name
        if "train" in cell:
            assert cell["train"]["samples"] == 6, (name, cell["train"]["samples"])
            assert all(0 < step["loss"] < 10 for step in cell["train"]["losses"]) and cell["train"]["losses"], name
    compared = {frozenset((c["a"], c["b"])) for c in summary["comparisons"] if c["metric"] == "strict_f1" and c["reading"] == "raw"}
    print(study, len(compared), "pairs of", num_cells, "cells")
    assert len(compared) >= num_cells * (num_cells - 1) // 2, (study, compared)
    assert all(0 < c["p_value"] <= c["p_holm"] <= 1 for c in summary["comparisons"])
    assert "</html>" in open(f"{sys.argv[1]}/{study}/report.html", encoding="utf-8").read()[-20:]
formats = summary_of("formats")
assert {(c["format"], c["method"]) for c in formats["cells"] if c["name"] != "patterns"} == \
    {(f, m) for f in ("xml", "json", "json_values", "bracket", "bio") for m in ("lora", "none")}
assert any(c["metric"] == "held_out_f1" for c in summary_of("loss_mask")["comparisons"])
PYTHON
