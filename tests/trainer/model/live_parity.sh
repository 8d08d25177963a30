#!/usr/bin/env bash
# The golden tests against models that transformers and PEFT compute now: other weights and texts than the committed ones, and
# CodeLlama's vocabulary. Exit 77 (skipped) without ENTUNE_PYTHON, a Python that has transformers and PEFT (scripts/test.sh installs one).
set -euo pipefail
cd "$1"
if [ -z "${ENTUNE_PYTHON:-}" ]; then
  echo "skipped: needs ENTUNE_PYTHON, a Python with transformers and PEFT, which scripts/test.sh installs"
  exit 77
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$ENTUNE_PYTHON" tests/trainer/model/make_golden.py "$out/model" 100 2>"$out/log" || { cat "$out/log"; exit 1; }
"$ENTUNE_PYTHON" tests/trainer/loop/make_ten_steps.py "$out/model" "$out/loop" 2>"$out/log" || { cat "$out/log"; exit 1; }
export ENTUNE_GOLDEN=$out
"$2/bin/golden_model_test" --gtest_brief=1
"$2/bin/ten_steps_test" --gtest_brief=1
