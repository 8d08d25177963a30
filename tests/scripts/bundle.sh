#!/usr/bin/env bash
# bundle.sh: what it makes runs from another folder, one rank and two, with this machine's OpenMPI and libraries of the same names hidden (as root,
# where namespaces are allowed), and without a remote shell. A model of random weights trains and answers.
set -euo pipefail
cd "$1"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
torch=$(sed -n 's/^LIBTORCH_DIR:PATH=//p' "$2/CMakeCache.txt")
ENTUNE_BUILD_DIR=$2 bash scripts/bundle.sh --no-setup "$out/made"
rc=0
bash scripts/bundle.sh --no-setup "$out/made" >"$out/again" 2>&1 || rc=$?
if [ "$rc" -eq 0 ] || ! grep -q 'expected no such folder' "$out/again"; then echo "expected a refusal of a folder that is there"; cat "$out/again"; exit 1; fi
mkdir "$out/elsewhere"
tar -xzf "$out/made.tar.gz" -C "$out/elsewhere"
rm -rf "$out/made"
bundle=$out/elsewhere/made

# Every library is the bundle's, libtorch's or one of those that any Linux has.
for program in trainer mpirun; do
  if LIBTORCH_DIR=$torch "$bundle/run" ldd "$bundle/bin/$program" | awk '$2 == "=>" {print $1, $3 == "not" ? "missing" : $3}' |
    grep -vE " ($bundle|$(dirname "$torch"))/|^lib(c|m|dl|rt|util|pthread|gcc_s|stdc\+\+|z|udev)\.so"; then
    echo "$program: its libraries above come from elsewhere"
    exit 1
  fi
done
if objdump -p "$bundle/bin/trainer" | grep -E 'R(UN)?PATH'; then echo "trainer looks for libraries where it was built"; exit 1; fi

# Without libtorch, and with another one: told so.
refused() {  # LIBTORCH_DIR PATTERN
  if LIBTORCH_DIR=$1 "$bundle/run" true 2>"$out/refusal"; then echo "expected a refusal: $2"; exit 1; fi
  grep -q "$2" "$out/refusal" || { echo "expected /$2/"; cat "$out/refusal"; exit 1; }
}
refused "$out" 'expected libtorch at LIBTORCH_DIR'
mkdir -p "$out/other/lib"
touch "$out/other/lib/libtorch_cpu.so"
echo "__version__ = '1.0.0'" >"$out/other/version.py"
refused "$out/other" 'expected libtorch 2'

cat >"$out/use.sh" <<'USE'
set -euo pipefail
bundle=$1 hide=$2
if [ "$hide" = hide ]; then
  mkdir "$bundle/empty"
  for folder in "$(ompi_info --parsable --path pkglibdir | sed 's/^path:pkglibdir://')" /usr/share/openmpi /etc/openmpi; do
    if [ -d "$folder" ]; then mount --bind "$bundle/empty" "$folder"; fi
  done
  for library in "$bundle"/lib/*.so*; do
    if [[ "$library" == */libpcre2* ]]; then continue; fi  # mount itself is linked with it
    library=/usr/lib/$(uname -m)-linux-gnu/$(basename "$library")
    if [ -e "$library" ]; then mount --bind /dev/null "$(realpath "$library")"; fi
  done
  for program in mpirun orted ssh rsh; do
    if path=$(command -v "$program"); then mount --bind /dev/null "$(realpath "$path")"; fi
  done
  if mpirun --version >/dev/null 2>&1; then echo "this machine's mpirun is not hidden"; exit 1; fi
fi
cd "$bundle"
keys=(study=none model.init=random model.preset=smollm2-135m model.path=tests/data/tokens/fixtures/smollm task.prompt=minimal data.split.train=2
  data.split.test=1 training.global_batch=2 training.epochs=1 generation.max_new_tokens=2 evaluation.baseline=none export=none)
./run trainer --help | grep 'inspect-data' >/dev/null
./run mpirun --oversubscribe --bind-to none -np 2 trainer validate --recipe recipes/quickstart.yaml "${keys[@]}"
./run mpirun --oversubscribe --bind-to none -np 2 trainer --recipe recipes/quickstart.yaml "${keys[@]}" output="$bundle/trained"
python3 -c 'import json, sys; steps = [json.loads(line) for line in open(sys.argv[1])]; assert len(steps) == 1 and 5 < steps[0]["loss"] < 20, steps' \
  "$bundle"/trained/cells/quickstart/steps.jsonl
USE
export LIBTORCH_DIR=$torch
if unshare -m true 2>/dev/null; then
  unshare -m bash "$out/use.sh" "$bundle" hide
else
  echo "namespaces are not allowed: this machine's OpenMPI stays in sight"
  bash "$out/use.sh" "$bundle" show
fi
FORCE_CPU=1 PARTS=2 bash "$bundle/scripts/gpu_check.sh" >"$out/table" || { cat "$out/table"; exit 1; }
grep -E '^kernels +(skipped|pass)' "$out/table"
[ -e "$bundle/gpu_check/gpu_check.json" ]
