#!/usr/bin/env bash
# include_rules.sh ROOT: checks every #include of the C++ sources under ROOT against the order of the folders and prints each breach
# as file:line. The rules:
#
#   1. Ours are written "from/the/root.h" in quotes and exist; third-party headers stand in <>.
#   2. trainer -> distributed, trainer -> data. data and distributed see neither each other nor trainer; nothing sees tests.
#   3. Within trainer a folder sees itself and those that stand after it in `order`; the lowest know tensors or plain values only.
#   4. recipe.h is for recipe, study, commands and tests.
#   5. A third-party library is included in its one place.
#   6. Device code (*.cu, *.cuh) sees no libtorch, and CUDA's headers are seen where CUDA is used alone.
#   7. Headers see libtorch through its narrow headers: the wide ones cost each includer seconds.
set -euo pipefail
cd "$1"
files=$(find data distributed trainer tests -type f \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' \) | sort)
[ -n "$files" ] || { echo "no sources under $1"; exit 1; }

# shellcheck disable=SC2086
awk -v files="$files" '
BEGIN {
  count = split(files, list, "\n")
  for (i = 1; i <= count; ++i) exists[list[i]] = 1
  count = split("main commands study recipe report loop evaluate generate plan optim weights model layers kernels telemetry", list, " ")
  for (i = 1; i <= count; ++i) order[list[i]] = i

  # header: who may include it
  place["^mpi\\.h$"] = "^(distributed/mpi_[a-z_]*\\.cpp|tests/support/mpi_main\\.cpp)$"
  place["^nccl\\.h$"] = "^distributed/nccl_communicator\\.cpp$"
  place["^(cuda[a-z0-9_]*\\.h|(c10|ATen)/cuda/)"] = "^(distributed/(nccl_communicator|cuda_devices)\\.cpp|trainer/kernels/(cuda_kernels\\.cpp|[a-z_]*\\.cuh?)|trainer/model/decode_graph\\.cpp)$"
  place["^yaml-cpp/"] = "^trainer/recipe/"
  place["^sentencepiece"] = "^data/tokens/[a-z_]*\\.cpp$"
  place["^pcre2"] = "^data/tokens/[a-z_]*\\.cpp$"
  place["^openssl/"] = "^data/deidentify/cryptography\\.cpp$"
  place["^xxhash\\.h$"] = "^trainer/weights/file_hash\\.cpp$"
  place["^CLI/"] = "^trainer/(main\\.cpp$|commands/)"
  place["^(prometheus/|httplib\\.h$)"] = "^trainer/telemetry/"
  place["^(ATen|c10|torch|caffe2)/"] = "^(distributed|trainer|tests)/.*\\.(h|cpp)$"
  place["^g(test|mock)/"] = "^tests/"
  # header: only one file may include it
  single["^sentencepiece"] = single["^pcre2"] = single["^nccl\\.h$"] = 1
}

function breach(rule) { printf "%s:%d: %s: %s\n", FILENAME, FNR, $0, rule; failed = 1 }

# The library that a path belongs to: data, distributed, tests, or the folder within trainer.
function library(path, parts) {
  split(path, parts, "/")
  if (parts[1] != "trainer") return parts[1]
  return parts[2] ~ /\./ ? "main" : parts[2]
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
  target = $0; sub(/^[^"]*"/, "", target); sub(/".*$/, "", target)
  from = library(FILENAME); to = library(target)
  if (!(target in exists)) { breach("expected the path from the root of a header that exists"); next }
  if (from == "tests") next
  if (to == "tests") breach("tests are seen by nothing")
  else if ((from == "data" || from == "distributed") && to != from) breach(from " sees nothing else of ours")
  else if (from in order && to in order && order[to] < order[from]) breach(to " stands above " from)
  else if (from in order && !(to in order) && to != "data" && to != "distributed") breach("unknown folder trainer/" to)
  else if (!(from in order) && from != "data" && from != "distributed") breach("unknown folder trainer/" from)
  else if ((from == "kernels" || from == "telemetry" || from == "report") && to == "distributed") breach(from " knows no ranks")
  else if ((from == "kernels" || from == "telemetry" || from == "layers") && to == "data") breach(from " knows no data")
  if (target == "trainer/recipe/recipe.h" && from !~ /^(recipe|study|commands)$/) breach("Recipe is seen by recipe, study and commands")
}

/^[ \t]*#[ \t]*include[ \t]*</ {
  target = $0; sub(/^[^<]*</, "", target); sub(/>.*$/, "", target)
  if (target ~ /^(data|distributed|trainer|tests)\//) breach("ours are included in quotes")
  for (header in place) if (target ~ header && FILENAME !~ place[header]) breach("allowed in " place[header])
  for (header in single) if (target ~ header) {
    if (header in owner && owner[header] != FILENAME) breach("included by " owner[header] " already, its only place")
    owner[header] = FILENAME
  }
  if (FILENAME ~ /\.h$/ && FILENAME !~ /^tests\// && target ~ /^(ATen\/ATen\.h|torch\/(all|torch|types|script)\.h)$/) breach("in a header: include a narrow one")
}

END { exit failed }
' $files
