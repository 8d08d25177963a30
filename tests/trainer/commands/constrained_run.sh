#!/usr/bin/env bash
# A tiny run whose answers are constrained and drafted: free answers stand beside them in summary and report, and all four ways of decoding
# are compared, on data ranks and on tensor ranks.
set -euo pipefail
cd "$1"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# shellcheck source=tests/trainer/commands/tiny_run.sh
source tests/trainer/commands/tiny_run.sh
tiny_run "$1" "$2" "$out" 4 1
on_ranks 2 --recipe "$out/recipe.yaml" output="$out/run" generation.constrain=format generation.draft=input generation.max_new_tokens=auto evaluation.bootstrap=20 >"$out/log"
on_ranks 2 evaluate "$out/run" --compare-decoding --output "$out/data.json" >"$out/table"
on_ranks 2 evaluate "$out/run" --compare-decoding --set parallel.tensor=2 --output "$out/tensor.json" >"$out/tensor_table"
for table in table tensor_table; do
  grep -q "^Answers that drafts changed: 0 of 2 free, 0 of 2 constrained$" "$out/$table" || { cat "$out/$table"; exit 1; }
done
python3 - "$out" <<'PYTHON'
import json, sys
out = sys.argv[1]
load = lambda name: json.load(open(f"{out}/{name}"))
cells = {cell["name"]: cell for cell in load("run/summary.json")["cells"]}
assert list(cells) == ["tiny", "tiny, free"], list(cells)
constrained = cells["tiny"]["scores"]["test"]["health"]
assert constrained["well_formed"] == 1 and constrained["copy_exact"] == 1 and constrained["hit_max_tokens"] == 0, constrained
assert cells["tiny"]["generate"]["drafted_tokens"] > 0 and "train" not in cells["tiny, free"]
for name in ("data.json", "tensor.json"):
    free, forced, drafted, both = load(name)
    assert free["scores"] == drafted["scores"] and forced["scores"] == both["scores"], name
    assert forced["scores"]["test"]["health"] == constrained
    for with_draft, without in ((drafted, free), (both, forced)):
        assert with_draft["generate"]["generated_tokens"] == without["generate"]["generated_tokens"]
        assert with_draft["generate"]["accepted_tokens"] > 0 == without["generate"]["drafted_tokens"]
    assert both["generate"]["forward_passes"] < forced["generate"]["forward_passes"]
assert 0 < cells["tiny, free"]["cost"]["hours"] < cells["tiny"]["cost"]["hours"], "the training is on one bill alone"
rows = load("run/summary.json")["comparisons"]
assert rows and {(row["a"], row["b"]) for row in rows} == {("tiny", "tiny, free")}, rows
assert "tiny, free" in open(f"{out}/run/report.html").read()
PYTHON

# One report over runs with other settings: free answers stay beside the constrained ones of their own run.
run() { "$trainer" --recipe "$out/recipe.yaml" generation.max_new_tokens=auto evaluation.bootstrap=20 "$@" >"$out/log"; }
run output="$out/plain" generation.constrain=none
run output="$out/other" generation.constrain=format training.optimizer.lr=1e-3
"$trainer" report "$out/plain" "$out/run" "$out/other" --output "$out/all" >"$out/log"
python3 - "$out" <<'PYTHON'
import json, sys
out = sys.argv[1]
summary = json.load(open(f"{out}/all/summary.json"))
cells = {cell["name"]: cell for cell in summary["cells"]}
names = ["tiny", "tiny: tiny", "tiny, free", "tiny (2): tiny", "tiny: tiny, free"]
assert list(cells) == names, list(cells)
assert [cells[name].get("of") for name in names] == [None, None, "tiny: tiny", None, "tiny (2): tiny"], "the cell that each belongs to"
pairs = {(row["a"], row["b"]) for row in summary["comparisons"] if row["reading"] == "raw"}
plain, one, one_free, two, two_free = names
assert pairs == {(plain, one), (plain, two), (one, two), (one_free, two_free), (one, one_free), (two, two_free)}, pairs
PYTHON
# The free answers' model is that of the cell itself.
"$trainer" predict "$out/run" --cell "tiny, free" --text "7 letters for Ida" >"$out/answer"
grep -q '"entities"' "$out/answer"
echo "passed"
