#!/usr/bin/env bash
# The set-up of quickstart.sh, a build of everything, and all tests. Its last line is "N passed, N failed"; tests whose needs this machine
# lacks are in neither number: they are listed by reason before it. Exit code 0 if none failed.
#
#   test.sh          the tests that take seconds
#   test.sh --all    the long ones too (CTest label: long)
set -euo pipefail

long=false
for argument in "$@"; do
  case $argument in
    --all) long=true ;;
    -h | --help)
      sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
      exit 0
      ;;
    *)
      echo "test.sh: unknown argument '$argument'; there is --all" >&2
      exit 2
      ;;
  esac
done

export STEPS=9
# shellcheck source=scripts/setup.sh
source "$(dirname "$0")/setup.sh"

# The tokenizer of Mistral v0.3, which mistral_common brings: as a model directory for the tests that read it.
find_mistral_v3() {
  local v3=$PWD/.deps/peers/mistral_common/data/mistral_instruct_tokenizer_240323.model.v3
  if [ -n "${ENTUNE_MISTRAL_V3:-}" ] || [ ! -e "$v3" ]; then return; fi
  mkdir -p .deps/mistral_v3
  ln -sf "$v3" .deps/mistral_v3/tokenizer.model
  export ENTUNE_MISTRAL_V3=$PWD/.deps/mistral_v3
}

# unpack_packages NAME PACKAGE...: Debian packages into .deps/NAME, unpacked and not installed: their servers are not to start on the machine.
# Returns 1 if they cannot be fetched.
unpack_packages() {
  local name=$1
  shift
  local part=$PWD/.deps/$name.part
  rm -rf "$part"
  mkdir -p "$part"
  if ! (cd "$part" && run_logged "$part/log" apt-get download "$@"); then
    note "could not be fetched; what needs it is skipped"
    return 1
  fi
  local package
  for package in "$part"/*.deb; do
    dpkg-deb -x "$package" "$part" || fail "$package: cannot be unpacked"
  done
  rm -rf "$part"/*.deb ".deps/$name"
  mv -T "$part" ".deps/$name"
}

# Prometheus with promtool
fetch_prometheus() {
  step "Prometheus, to scrape a run with"
  if command -v prometheus promtool >/dev/null || [ -x .deps/prometheus/usr/bin/promtool ]; then
    note "all there"
    return
  fi
  unpack_packages prometheus prometheus || true
}

# Slurm, with what it needs beyond the packages of setup.sh
fetch_slurm() {
  step "Slurm, to run jobs with"
  if { [ -x /usr/sbin/slurmctld ] && [ -x /usr/sbin/slurmd ] && [ -x /usr/bin/sbatch ]; } || [ -x .deps/slurm/usr/sbin/slurmd ]; then
    note "all there"
    return
  fi
  unpack_packages slurm munge slurmctld slurmd slurm-client slurm-wlm-basic-plugins libmunge2 libpmix2 liblua5.1-0 libdbus-1-3 libjson-c5 \
    libreadline8 libyaml-0-2 || return 0
  local name  # the packages' installation makes these names
  for name in slurmctld slurmd slurmstepd; do ln -s "$name-wlm" ".deps/slurm/usr/sbin/$name"; done
}

install_packages
install_libtorch
install_peers
fetch_prometheus
fetch_slurm
find_mistral_v3
fetch_model || note "could not be fetched: tests that need it are skipped"
build all
if import_model; then
  export ENTUNE_SMOLLM2=$PWD/$MODEL
  if [ -e "$GGUF" ]; then export ENTUNE_SMOLLM2_GGUF=$PWD/$GGUF; fi
else
  note "not there: tests that need it are skipped"
fi

log=$BUILD_DIR/tests.log
xml=$BUILD_DIR/tests.xml
# Tests under mpirun count as two processors.
jobs=$(num_jobs)
options=(--test-dir "$BUILD_DIR" --parallel "$jobs" --output-on-failure --output-junit tests.xml --no-tests=error)
if $long; then
  step "all tests, the long ones too, $jobs at a time"
else
  step "tests, $jobs at a time (the long ones only with --all)"
  options+=(--label-exclude '^long$')
fi

rm -f "$xml"
ctest "${options[@]}" >"$log" 2>&1 &
pid=$!
report_while "$pid" "$log" '[0-9]+/[0-9]+ Test +#[0-9]+: [^ ]+'
rc=0
wait "$pid" || rc=$?
[ -e "$xml" ] || {
  tail -n 40 "$log" >&2
  fail "CTest did not finish; all of its output: $log"
}

# From the lists that close CTest's output: in its JUnit file a program that could not be started counts as skipped.
listed() { awk -v title="$1" '$0 ~ title {inside = 1; next} inside && !/^[[:space:]]+[0-9]+ - / {inside = 0} inside' "$log"; }
total=$(sed -n 's/^[[:space:]]*tests="\([0-9]*\)".*/\1/p' "$xml" | head -n 1)
failed=$(listed 'The following tests FAILED' | wc -l)
skipped=$(listed 'The following tests did not run' | wc -l)

if [ "$skipped" -gt 0 ]; then
  echo "$skipped skipped, by reason:"
  # GoogleTest prints "FILE:LINE: Skipped", then the reason; script tests print "skipped: REASON".
  awk '/: Skipped$/ {getline; print} sub(/.*skipped: /, "")' "$xml" | sort | uniq -c
fi
if [ "$failed" -gt 0 ]; then
  grep -avE '^ *(Start +[0-9]+:|[0-9]+/[0-9]+ Test +#[0-9]+: .*(Passed|Skipped))' "$log" | tail -n 200
fi
printf 'Tests took until %d:%02d; all of their output: %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$log"
echo "$((total - failed - skipped)) passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$rc" -eq 0 ]
