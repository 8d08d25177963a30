# Sourced by the script tests that need the real model, with their arguments: the source and the build folder. Enters the first, sets
# `trainer` and a temporary folder `out`. Exit 77 (skipped) without the model.
set -euo pipefail
cd "$1"
trainer=$2/bin/trainer
if [ ! -e models/smollm2-135m-instruct/model.safetensors ]; then
  echo "skipped: needs models/smollm2-135m-instruct, which scripts/test.sh makes"
  exit 77
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
