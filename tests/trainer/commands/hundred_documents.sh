#!/usr/bin/env bash
# documents.py of this folder, with 100 documents of 20,000 characters.
exec "$(dirname "$0")/documents.py" "$1" "$2" 100 20000
