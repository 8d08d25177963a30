#!/usr/bin/env bash
# header_self_containment_catches.sh COMPILER FLAG...: header_self_containment.sh must name each broken header of a small tree, and none other.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir "$tree"/{data,distributed,trainer,tests}

echo '#pragma once
#include <string>
inline std::string fine_plain() { return {}; }' >"$tree/data/fine_plain.h"
echo '#pragma once
inline std::string broken_plain() { return {}; }' >"$tree/data/broken_plain.h"
echo '#pragma once
#include <ATen/core/Tensor.h>
inline at::Tensor fine_torch() { return {}; }' >"$tree/distributed/fine_torch.h"
echo '#pragma once
#include "distributed/fine_torch.h"
inline at::Tensor fine_indirect() { return fine_torch(); }' >"$tree/distributed/fine_indirect.h"
echo '#pragma once
#include <c10/util/Exception.h>
inline at::Tensor broken_without_tensor() { return {}; }' >"$tree/distributed/broken_without_tensor.h"
echo '#pragma once
#include <ATen/core/Tensor.h>
inline at::Tensor broken_wide() { return at::zeros({2}); }' >"$tree/trainer/broken_wide.h"

check() {  # KIND EXPECTED...
  local kind=$1 found
  shift
  found=$("$here/header_self_containment.sh" "$tree" "$kind" "${command[@]}" | sed -n 's/ does not compile alone:$//p' | tr '\n' ' ') || true
  [ "$found" = "$* " ] || { echo "$kind: expected '$* ', found '$found'"; exit 1; }
}
command=("$@")
check plain data/broken_plain.h
check torch distributed/broken_without_tensor.h trainer/broken_wide.h
echo "the broken headers were named, and no other"
