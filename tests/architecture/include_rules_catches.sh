#!/usr/bin/env bash
# include_rules_catches.sh ROOT: plants one breach after another in a copy of the sources and expects include_rules.sh to name each.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
(cd "$1" && find data distributed trainer tests -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' | tar -cf - -T -) | tar -xf - -C "$copy"
touch "$copy/data/planted.cpp" "$copy/trainer/main.cpp"

plant() {  # FILE LINE: the last line of FILE becomes LINE
  mkdir -p "$copy/$(dirname "$1")"
  [ ! -e "$copy/$1" ] || cp "$copy/$1" "$copy/original"
  printf '\n%s\n' "$2" >>"$copy/$1"
  local line
  line=$(wc -l <"$copy/$1")
  "$here/include_rules.sh" "$copy" >"$copy/output" || true
  if [ -e "$copy/original" ]; then mv "$copy/original" "$copy/$1"; else rm "$copy/$1"; fi
  grep -qF "$1:$line: " "$copy/output"
}
must_catch() {
  plant "$@" || { echo "not caught: $2 in $1"; exit 1; }
}
must_allow() {
  ! plant "$@" || { echo "wrongly refused: $2 in $1"; exit 1; }
}

must_catch data/planted.cpp '#include "distributed/communicator.h"'
must_catch data/planted.cpp '#include "trainer/optim/adamw.h"'
must_catch data/formats/planted.cpp '  #  include "trainer/optim/adamw.h"'
must_catch data/planted.cpp '#include <ATen/core/Tensor.h>'
must_catch data/planted.cpp '#include <c10/util/Exception.h>'
must_catch data/planted.cpp '#include <mpi.h>'
must_catch data/planted.cpp '#include <yaml-cpp/yaml.h>'
must_catch data/planted.cpp '#include <data/entity.h>'
must_catch data/planted.cpp '#include "entity.h"'
must_catch data/planted.cpp '#include "data/no_such_header.h"'
must_catch data/planted.cpp '#include "tests/support/mpi_test.h"'
must_catch data/planted.cpp '#include <sentencepiece_processor.h>'
must_catch data/tokens/zz_planted.cpp '#include <pcre2.h>'
must_catch distributed/planted.cpp '#include "data/entity.h"'
must_catch distributed/planted.cpp '#include "trainer/optim/adamw.h"'
must_catch distributed/device_mesh.cpp '#include <mpi.h>'
must_catch distributed/mpi_communicator.h '#include <mpi.h>'
must_catch distributed/communicator.h '#include <ATen/ATen.h>'
must_catch trainer/kernels/planted.cpp '#include "distributed/communicator.h"'
must_catch trainer/layers/planted.cpp '#include "data/entity.h"'
must_catch trainer/layers/planted.cpp '#include "trainer/model/parameter.h"'
must_catch trainer/model/planted.cpp '#include "trainer/generate/generator.h"'
must_catch trainer/optim/planted.cpp '#include "trainer/recipe/recipe.h"'
must_catch trainer/main.cpp '#include "trainer/recipe/recipe.h"'
must_catch trainer/somewhere_new/planted.cpp '#include "data/entity.h"'
must_catch trainer/commands/planted.cpp '#include <yaml-cpp/yaml.h>'
must_catch trainer/study/planted.cpp '#include <CLI/CLI.hpp>'
must_catch trainer/optim/planted.cpp '#include <gtest/gtest.h>'
must_catch tests/planted.cpp '#include <mpi.h>'
must_catch distributed/planted.cpp '#include <nccl.h>'
must_catch trainer/layers/planted.cpp '#include <cuda_runtime.h>'
must_catch trainer/kernels/rms_norm.cpp '#include <c10/cuda/CUDAStream.h>'
must_catch trainer/kernels/planted.cu '#include <ATen/ATen.h>'

must_allow distributed/mpi_planted.cpp '#include <mpi.h>'
must_allow trainer/study/planted.cpp '#include "trainer/recipe/recipe.h"'
must_allow trainer/kernels/planted.cu '#include <cuda_bf16.h>'
must_allow trainer/kernels/planted.cu '#include "trainer/kernels/kernel_launch.h"'
must_allow trainer/main.cpp '#include <CLI/CLI.hpp>'
must_allow trainer/model/planted.cpp '#include "data/entity.h"'
must_allow trainer/optim/planted.cpp '#include "distributed/communicator.h"'
must_allow tests/planted.cpp '#include "trainer/recipe/recipe.h"'
must_allow data/planted.cpp '// #include <mpi.h>'
echo "all planted breaches were named"
