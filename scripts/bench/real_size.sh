#!/usr/bin/env bash
# A model of real size on CPUs: writes a random one (bfloat16, sharded as on the hub), loads it on tensor ranks, takes one LoRA step of 64
# tokens and answers one short text. The files are dropped from the page cache before each reading.
#
#   real_size.sh                     mistral-7b on 2 ranks: 14 GiB of disk, 16 GiB of memory
#   PRESET=llama2-13b RANKS=4 ...    another shape (any model.preset) or number of ranks
#   MODEL_DIR=DIR                    where to write; removed at the end (default: a folder in the build folder)
#
# The last line is JSON, of ranks the largest: load_seconds (allocation included), cat_seconds (`cat` of the same files), shard_gib (what a
# rank holds of the weights), peak_load_gib and peak_step_gib (VmHWM after the load, after step and answer), gib_read (over all ranks).
set -euo pipefail
source "$(dirname "$0")/../setup.sh"
preset=${PRESET:-mistral-7b}
ranks=${RANKS:-2}
model=${MODEL_DIR:-$BUILD_DIR/real_size}
[ ! -e "$model" ] || fail "MODEL_DIR: expected no such folder, found $model; remove it or name another"
STEPS=4
install_libtorch
build real_size
trap 'rm -rf "$model"' EXIT

step "random weights: $preset"
"$BUILD_DIR/bin/real_size" write --preset "$preset" --to "$model"
sync

drop_from_cache() { for file in "$model"/*.safetensors; do dd if="$file" iflag=nocache count=0 status=none; done; }

step "reading, then loading on $ranks ranks"
drop_from_cache
begin=$(date +%s.%N)
cat "$model"/*.safetensors >/dev/null
cat_seconds=$(echo "$begin $(date +%s.%N)" | awk '{printf "%.2f", $2 - $1}')
note "cat: $cat_seconds s"
drop_from_cache
mpirun --oversubscribe --bind-to none -np "$ranks" "$BUILD_DIR/bin/real_size" load --model "$model" --cat-seconds "$cat_seconds"
