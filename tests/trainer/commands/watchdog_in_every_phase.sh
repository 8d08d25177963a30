#!/usr/bin/env bash
# watchdog.py of this folder, in every phase.
exec "$(dirname "$0")/watchdog.py" "$1" "$2" all
