#!/usr/bin/env bash
# The trainer of a build with CUDA holds, of each *.cu, machine code for A100 (sm_80) and for H100 and H200 (sm_90a), and PTX for what comes
# after. Exit 77 (skipped) for a build without CUDA, or without cuobjdump.
set -euo pipefail
cd "$1"
trainer=$2/bin/trainer
ldd "$trainer" | grep libtorch_cuda >/dev/null || { echo "skipped: this build has no CUDA in it"; exit 77; }
# The toolkit's, or the one that Triton brings beside torch.
torch=$(sed -n 's/^LIBTORCH_DIR:PATH=//p' "$2/CMakeCache.txt")
PATH=$PATH:${CUDA_HOME:-/usr/local/cuda}/bin:$torch/../triton/backends/nvidia/bin
command -v cuobjdump >/dev/null || { echo "skipped: missing: cuobjdump"; exit 77; }
sources=$(find distributed trainer -name '*.cu' | wc -l)
elf=$(cuobjdump --dump-elf "$trainer") ptx=$(cuobjdump --dump-ptx "$trainer")
machine_code() { grep -aA 2 '^Fatbin elf code' <<<"$elf" | grep -cx "arch = $1" || true; }
for arch in sm_80 sm_90a; do
  [ "$(machine_code "$arch")" -eq "$sources" ] || { echo "expected machine code for $arch of $sources sources, found it of $(machine_code "$arch")"; exit 1; }
done
found=$(grep -acE '^\.target sm_90$' <<<"$ptx" || true)
[ "$found" -eq "$sources" ] || { echo "expected PTX for sm_90 of $sources sources, found it of $found"; exit 1; }
echo "sm_80, sm_90a and PTX of $sources sources"
