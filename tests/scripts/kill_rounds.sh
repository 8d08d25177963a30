#!/usr/bin/env bash
# scripts/bench/kill_rounds.sh: 3 rounds, or as many as the third argument says.
set -euo pipefail
rounds=${3:-3}
ENTUNE_BUILD_DIR=$2 "$1/scripts/bench/kill_rounds.sh" "$rounds" 7 | tee /dev/stderr | tail -n 1 | grep -qx "$rounds rounds, 0 torn, 0 unequal"
