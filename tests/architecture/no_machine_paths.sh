#!/usr/bin/env bash
# no_machine_paths.sh ROOT: sources, scripts and recipes name no folder of the machine they were written on.
set -euo pipefail
cd "$1"
pattern='(^|[^A-Za-z0-9_.>})-])/(root|home|work|Users|mnt|scratch)/[A-Za-z0-9_]|/tmp/[A-Za-z0-9_]'
if grep -rnE "$pattern" data distributed trainer tests scripts recipes CMakeLists.txt \
    --include='*.h' --include='*.cpp' --include='*.cu' --include='*.cmake' --include=CMakeLists.txt --include='*.yaml' \
    --include='*.sh' --include='*.py' --exclude=no_machine_paths.sh --exclude-dir=build; then
  echo "write a path relative to the checkout, an argument or an environment variable instead"
  exit 1
fi
# A check that reads nothing proves nothing.
[ "$(echo 'cd /home/someone/x; ls /tmp/x' | grep -cE "$pattern")" = 1 ]
