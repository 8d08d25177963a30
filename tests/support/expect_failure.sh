#!/usr/bin/env bash
# expect_failure.sh CODE TEXT COMMAND...: succeeds if COMMAND ends with exit code CODE within a minute and prints TEXT.
set -u
code=$1 text=$2
shift 2
output=$(timeout --kill-after=5 60 "$@" 2>&1)
found=$?
printf '%s\n' "$output"
if [ "$found" -ne "$code" ]; then
  echo "expected exit code $code, found $found (124: it did not end)"
  exit 1
fi
if ! grep -qF -- "$text" <<<"$output"; then
  echo "expected the output to hold: $text"
  exit 1
fi
