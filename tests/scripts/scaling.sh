#!/usr/bin/env bash
# scripts/bench/scaling.sh on 1 and 2 ranks with a tiny model: every size and layout is measured, strong and weak, one that cannot be is passed
# over, and the report has them; a second round adds to the first.
set -euo pipefail
cd "$1"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# shellcheck source=tests/trainer/commands/tiny_run.sh
source tests/trainer/commands/tiny_run.sh
tiny_run "$1" "$2" "$out" 8 1
fail() { echo "$*"; cat "$out/log"; exit 1; }

study() {
  ENTUNE_BUILD_DIR=$2 OUT=$out/study STEPS=1 WARMUP=0 "$1/scripts/bench/scaling.sh" "$out/recipe.yaml" training.lora.rank=2 >"$out/log" 2>&1 ||
    fail "expected the study to end well"
}
RANKS="1 2" TENSOR="1 2" study "$1" "$2"
RANKS=3 TENSOR=3 study "$1" "$2"
grep -q 'strong-ranks3-tensor3: passed over: error: .*parallel.tensor' "$out/log" || fail "expected a layout that is passed over"
RANKS=2 TENSOR=2 MODES=weak study "$1" "$2"
python3 - "$out/study" <<'PYTHON'
import csv, glob, json, sys
rows = list(csv.DictReader(open(sys.argv[1] + "/scaling.csv", encoding="utf-8")))
found = [(row["scaling"], int(row["ranks"]), int(row["tensor"]), int(row["runs"]), int(row["global_batch"])) for row in rows]
assert found == [("strong", 1, 1, 1, 4), ("strong", 2, 1, 1, 4), ("strong", 2, 2, 1, 4),
                 ("weak", 1, 1, 1, 4), ("weak", 2, 1, 1, 8), ("weak", 2, 2, 2, 4)], found
for row in rows:
    assert float(row["tokens_per_second"]) > 0 and 0 <= float(row["exposed_communication"]) < 1 and float(row["peak_memory_bytes"]) > 2**20, row
    assert (float(row["exposed_communication"]) > 0.001) == (int(row["ranks"]) > 1), row
assert float(rows[0]["efficiency"]) == 1.0
page = open(sys.argv[1] + "/scaling.html", encoding="utf-8").read()
assert page.count("<h2>") == 2 and "<svg" in page
PYTHON
