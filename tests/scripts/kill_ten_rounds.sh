#!/usr/bin/env bash
# kill_rounds.sh of this folder, with 10 rounds.
exec "$(dirname "$0")/kill_rounds.sh" "$1" "$2" 10
