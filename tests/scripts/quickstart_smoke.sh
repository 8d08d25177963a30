#!/usr/bin/env bash
# quickstart.sh --smoke on the build that is there: it must print the table and leave a report and a summary with both formats.
# Exit 77 (skipped) without the model.
set -euo pipefail
cd "$1"
if ! ls models/smollm2-135m-instruct/model.safetensors .deps/smollm2/*.gguf >/dev/null 2>&1; then
  echo "skipped: needs SmolLM2-135M-Instruct, which scripts/setup.sh fetches"
  exit 77
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
ENTUNE_BUILD_DIR=$2 bash scripts/quickstart.sh --smoke --no-setup >"$log" 2>&1 || { cat "$log"; exit 1; }
cat "$log"

expect() { grep -q -- "$1" "$2" || { echo "expected '$1' in $2"; exit 1; }; }
for row in format=xml format=json patterns "Difference of F1" "report: runs/quickstart-smoke/report.html"; do expect "$row" "$log"; done
run=runs/quickstart-smoke
python3 - "$run/summary.json" <<'PYTHON'
import json, sys
summary = json.load(open(sys.argv[1]))
xml, json_cell = (next(c for c in summary["cells"] if c["format"] == f) for f in ("xml", "json"))
for cell in (xml, json_cell):
    assert cell["train"]["samples"] == 12, cell["train"]["samples"]
    assert cell["train"]["tokens"]["logical"] > cell["train"]["tokens"]["executed"] > cell["train"]["tokens"]["supervised"] > 0
    losses = [step["loss"] for step in cell["train"]["losses"]]
    assert all(0 < loss < 5 for loss in losses), losses
    assert cell["scores"]["test"]["health"]["answers"] == 6
assert summary["comparisons"]
PYTHON
expect '</html>' "$run/report.html"
! grep -qE '(src|href)="?https?:' "$run/report.html" || { echo "the report loads something from elsewhere"; exit 1; }
