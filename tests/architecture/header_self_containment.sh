#!/usr/bin/env bash
# header_self_containment.sh ROOT plain|torch COMPILER FLAG...: compiles each header under ROOT alone and prints those that do not.
# plain: the headers that reach no header of libtorch; torch: the others.
#
# The project's precompiled header is never used: it would hide what is missing. A header that reaches <ATen/core/Tensor.h> by its own
# includes is compiled behind a precompiled copy of that one header, which hides nothing from it and saves most of the time.
set -euo pipefail
root=$(cd "$1" && pwd) kind=$2 compiler=$3
shift 3
flags=("$@" -I "$root")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root"

# All that a header includes, directly or not. Without the system's folders every header that is not ours counts as one still to be
# made (-MG), and is listed by the name under which it was included.
reach() { "$compiler" -std=c++20 -nostdinc -nostdinc++ -M -MG -I . -x c++ "$1" | tr -d '\\' | tr -s ' \n' '\n\n'; }

headers=$(find data distributed trainer tests -name '*.h' | sort)
num_compiled=0 failed=0
for header in $headers; do
  reached=$(reach "$header")
  if grep -qE '^(ATen|c10|torch)/' <<<"$reached"; then found=torch; else found=plain; fi
  [ "$found" = "$kind" ] || continue
  precompiled=()
  if grep -qx 'ATen/core/Tensor.h' <<<"$reached"; then
    if [ ! -e "$work/tensor.h.gch" ]; then
      echo '#include <ATen/core/Tensor.h>' >"$work/tensor.h"
      "$compiler" "${flags[@]}" -x c++-header "$work/tensor.h" -o "$work/tensor.h.gch"
    fi
    precompiled=(-include "$work/tensor.h")
  fi
  if ! echo "#include \"$header\"" | "$compiler" "${flags[@]}" "${precompiled[@]}" -fsyntax-only -x c++ - 2>"$work/errors"; then
    echo "$header does not compile alone:"
    head -5 "$work/errors"
    failed=1
  fi
  num_compiled=$((num_compiled + 1))
done
echo "$num_compiled $kind headers compiled alone"
[ "$num_compiled" -gt 0 ] && [ "$failed" = 0 ]
