#!/usr/bin/env bash
# A folder, and FOLDER.tar.gz, for machines that have no network, no compiler and no MPI: the trainer, the test programs of gpu_check.sh, the
# shared libraries and the parts of OpenMPI that a bare Debian lacks, recipes, the sample corpus and scripts. It works wherever it is unpacked.
# libtorch, CUDA and NCCL stay out: FOLDER/run finds them on the machine.
#
#   bundle.sh FOLDER               after set-up and build; FOLDER must not exist. Fails if it comes to more than 60 MB, and lists the largest files
#   bundle.sh --no-setup FOLDER    of the build that is there; installs and fetches nothing
#
#   TOKENIZER=DIR      a tokenizer of at most 32,000 pieces for the benchmarks of gpu_check.sh (default: ../shared/data's; none if that is not there)
#   ENTUNE_BUILD_DIR, ENTUNE_CUDA, LIBTORCH_DIR    as setup.sh
set -euo pipefail
LIMIT_BYTES=60000000
PROGRAMS_OF_BUNDLE=(trainer kernels_gpu_test decoder_model_gpu_test nccl_mpi_test)
# What every Linux has: the runtimes of C and C++, zlib and udev. And what comes with libtorch.
STAYS_OUT='^(linux-vdso|ld-linux.*|lib(c|m|dl|rt|util|pthread|resolv|gcc_s|stdc\+\+|z|udev))\.so|^lib(torch|c10|cu|nccl|nv|gomp)'
# OpenMPI's frameworks without which 3 ranks on one machine do not start or a lone rank does not, by trial; and those for vector sums (op), Slurm
# (ras), several machines (routed) and binding (rtc). Of each all components that need no network maker's library: fabrics are NCCL's matter here.
FRAMEWORKS='allocator bml btl coll errmgr ess grpcomm iof odls oob op plm pmix pml ras reachable regx rmaps rml routed rtc schizo shmem state'
NEEDS_FABRIC='lib(ibverbs|fabric|psm2?|psm_infinipath|ucp|nl-3|mca_common_monitoring)\.so'

setup=true
if [ "${1:-}" = --no-setup ]; then
  setup=false
  shift
fi
case ${1:-} in
  '' | -*)
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
    if [ "${1:-}" = -h ] || [ "${1:-}" = --help ]; then exit 0; else exit 2; fi
    ;;
esac
bundle=$(realpath -m "$1")
export STEPS=4
if $setup; then STEPS=7; fi
# shellcheck source=scripts/setup.sh
source "$(dirname "$0")/setup.sh"

programs() {
  step "programs and their libraries: $BUILD_DIR"
  local program
  mkdir -p "$bundle/bin" "$bundle/lib"
  for program in "${PROGRAMS_OF_BUNDLE[@]}"; do
    if [ ! -x "$BUILD_DIR/bin/$program" ]; then
      [ "$program" != trainer ] || fail "--no-setup needs a build: expected $BUILD_DIR/bin/trainer"
      note "without $program, which is not in $BUILD_DIR/bin"
      continue
    fi
    strip -o "$bundle/bin/$program" "$BUILD_DIR/bin/$program"
    cmake "-DFILE=$bundle/bin/$program" -P scripts/cmake/RemoveRpath.cmake >/dev/null
    libraries_of "$BUILD_DIR/bin/$program"
  done
}

# libraries_of FILE: those that stay not out, into lib/ under the name by which they are asked for
libraries_of() {
  local name path
  ldd "$1" | awk '$2 == "=>" {print $1, $3}' | while read -r name path; do
    if [[ "$name" =~ $STAYS_OUT ]] || [ -e "$bundle/lib/$name" ]; then continue; fi
    [ -e "$path" ] || fail "$1: its library $name is not found"
    cp -L "$path" "$bundle/lib/$name"
    copyright_of "$path"
  done
}

# copyright_of FILE: its Debian package's terms, into licences/
copyright_of() {
  local package
  package=$(dpkg -S "$(realpath "$1")" 2>/dev/null | sed 's/:.*//') || return 0
  mkdir -p "$bundle/licences"
  cp "/usr/share/doc/$package/copyright" "$bundle/licences/$package"
}

# The folders within the bundle are those that OpenMPI looks for below OPAL_PREFIX.
openmpi() {
  step "OpenMPI"
  local prefix components help framework component
  prefix=$(opal_path prefix) components=$(opal_path pkglibdir) help=$(opal_path pkgdatadir)
  [ -d "$components" ] || fail "expected OpenMPI 4 with its components in files, found none in '$components'"
  cp -L "$(command -v mpirun)" "$bundle/bin/mpirun"
  cp -L "$(command -v orted)" "$bundle/bin/orted"
  libraries_of "$bundle/bin/mpirun"
  mkdir -p "$bundle/${components#"$prefix"/}" "$bundle/${help#"$prefix"/}"
  for framework in $FRAMEWORKS; do
    for component in "$components/mca_${framework}_"*.so; do
      if ldd "$component" | grep -E "$NEEDS_FABRIC" >/dev/null; then continue; fi
      cp "$component" "$bundle/${component#"$prefix"/}"
      libraries_of "$component"
    done
  done
  cp "$help"/help-*.txt "$bundle/${help#"$prefix"/}/"
  copyright_of "$components/mca_pml_ob1.so"
}

opal_path() { ompi_info --parsable --path "$1" | sed -n "s/^path:$1://p"; }

data() {
  step "recipes, corpus, scripts"
  local tokenizer=${TOKENIZER:-../shared/data/tokenizers/mistral-7b-instruct-v0.2} file
  for file in recipes data/samples LICENSE scripts/setup.sh scripts/gpu_check.sh scripts/bench/{compare.sh,peer_trl.py,peer.txt} \
    tests/trainer/commands/on_gpus.sh tests/data/tokens/fixtures/{llama,smollm}; do
    mkdir -p "$bundle/$(dirname "$file")"
    cp -r "$file" "$bundle/$file"
  done
  if [ -d "$tokenizer" ]; then
    cp -rL "$tokenizer" "$bundle/tokenizer"
    chmod -R u+w "$bundle/tokenizer"
  elif [ -n "${TOKENIZER:-}" ]; then
    fail "TOKENIZER: expected a folder, found '$TOKENIZER'"
  fi
  commit_of_checkout >"$bundle/commit"
  sed -n "s/^__version__ = '\([0-9]*\.[0-9]*\).*/\1/p" "$(torch_of_build)/version.py" >"$bundle/libtorch" 2>/dev/null || true
}

torch_of_build() { sed -n 's/^LIBTORCH_DIR:PATH=//p' "$BUILD_DIR/CMakeCache.txt"; }

write_run() {
  cat >"$bundle/run" <<'RUN'
#!/bin/sh
# run PROGRAM ARGUMENT...: with this folder's programs, libraries and OpenMPI, and the libtorch of LIBTORCH_DIR (the folder with lib/libtorch_cpu.so),
# else of the first python3 that has torch.
here=$(cd "$(dirname "$0")" && pwd)
torch=${LIBTORCH_DIR:-$(python3 -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])' 2>/dev/null)}
if [ ! -e "$torch/lib/libtorch_cpu.so" ]; then
  echo "run: expected libtorch at LIBTORCH_DIR or in python3's torch, found no lib/libtorch_cpu.so in '$torch'; set LIBTORCH_DIR" >&2
  exit 2
fi
built=$(cat "$here/libtorch")
if [ -n "$built" ] && [ -e "$torch/version.py" ] && ! grep -q "^__version__ = '$built\." "$torch/version.py"; then
  echo "run: expected libtorch $built, which this was built with, found another in '$torch'; set LIBTORCH_DIR" >&2
  exit 2
fi
libraries=$here/lib:$torch/lib
# CUDA and NCCL of a wheel lie beside it.
for folder in "$torch"/../nvidia/*/lib; do
  if [ -d "$folder" ]; then libraries=$libraries:$folder; fi
done
export LIBTORCH_DIR="$torch" LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" PATH="$here/bin:$PATH"
export OPAL_PREFIX="$here" ENTUNE_BUILD_DIR="$here"
# PMIx would say at every start that it has no compression, which many thousand ranks want.
export PMIX_MCA_pcompress_base_silence_warning=1
# OpenMPI insists on a remote shell, even on one machine, unless it is told that there is none.
if ! command -v ssh >/dev/null && ! command -v rsh >/dev/null; then export OMPI_MCA_plm="${OMPI_MCA_plm:-^rsh}"; fi
exec "$@"
RUN
  chmod +x "$bundle/run"
}

# newest_symbol NAME: the newest version of libc (GLIBC) or of the C++ library (GLIBCXX) that the bundle asks for
newest_symbol() {
  find "$bundle/bin" "$bundle/lib" -type f -exec objdump -T {} + 2>/dev/null | grep -oE "\($1_[0-9.]+\)" | tr -d '()' | sort -uV | tail -n 1
}

write_readme() {
  cat >"$bundle/README" <<README
Entune, commit $(cat "$bundle/commit"), for machines without a network. Unpack it anywhere and start programs by ./run:

    ./run trainer --help
    ./run mpirun -np 2 trainer --recipe recipes/quickstart.yaml model.path=DIR output=DIR
    scripts/gpu_check.sh          on a machine with an NVIDIA GPU and python3: tests, then benchmarks; JSON and a table

./run takes libtorch ($(cat "$bundle/libtorch")) from LIBTORCH_DIR or from python3's torch, and CUDA and NCCL from beside it. The machine needs
$(newest_symbol GLIBC), $(newest_symbol GLIBCXX) (libstdc++) and zlib and udev, as Debian 12 and Ubuntu 24.04 have. As root, OpenMPI wants
OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1.
Ranks talk by shared memory and TCP, and by NCCL between GPUs; OpenMPI's parts for other networks are not here. On several nodes, with this folder in
one place for all: ./run mpirun --prefix \$PWD -x PATH -x LD_LIBRARY_PATH --host A,B trainer ...
licences/ holds the terms of the libraries in lib/ and of OpenMPI; LICENSE is Entune's.
README
}

if $setup; then
  install_packages
  install_libtorch
fi
[ ! -e "$bundle" ] || fail "expected no such folder, found $bundle; remove it or name another"
if $setup; then build "${PROGRAMS_OF_BUNDLE[@]}"; fi
trap 'rm -rf "$bundle"' EXIT
programs
openmpi
data
write_run
write_readme
step "packing"
bytes=$(du -sb --apparent-size "$bundle" | cut -f 1)
if [ "$bytes" -gt $LIMIT_BYTES ]; then
  find "$bundle" -type f -printf '%s %P\n' | sort -rn | head -n 10 >&2
  fail "$bundle: expected at most $LIMIT_BYTES bytes, found $bytes; the largest files are listed above"
fi
trap - EXIT
tar -czf "$bundle.tar.gz" -C "$(dirname "$bundle")" "$(basename "$bundle")"
note "$(awk "BEGIN {printf \"%.1f\", $bytes / 1e6}") MB; packed $(stat -c %s "$bundle.tar.gz" | awk '{printf "%.1f", $1 / 1e6}') MB: $bundle.tar.gz"
