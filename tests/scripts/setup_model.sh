#!/usr/bin/env bash
# setup.sh's model steps, with a stand-in for the trainer and without a network: nothing of the user's is deleted or nested into, and a
# failed import leaves no model.
set -euo pipefail
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
mkdir -p "$out/scripts" "$out/build/bin"
cp "$1/scripts/setup.sh" "$out/scripts/"
cat >"$out/build/bin/trainer" <<'TRAINER'
#!/usr/bin/env bash
# import --gguf FILE --to DIR: fails halfway if FILE says so
mkdir "$5" && echo "from $(cat "$3")" >"$5/config.json"
if grep -q broken "$3"; then exit 2; fi
echo weights >"$5/model.safetensors"
TRAINER
chmod +x "$out/build/bin/trainer"
cd "$out"
model=models/smollm2-135m-instruct
gguf=.deps/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf

# steps COMMANDS: in a shell that has sourced setup.sh, as quickstart.sh and test.sh do
steps() { env -u ENTUNE_BUILD_DIR bash -c "source scripts/setup.sh; $1" setup.sh >log 2>&1; }
# refused PATTERN COMMANDS: fails, says PATTERN, and does not go on
refused() {
  if steps "$2; echo went on"; then echo "expected a failure of: $2"; cat log; exit 1; fi
  if ! grep -qE -- "$1" log || grep -q 'went on' log; then echo "expected only /$1/ from: $2"; cat log; exit 1; fi
}
expect() { if ! "$@"; then echo "expected: $*"; cat log; exit 1; fi; }

# Without the GGUF file: the caller's message.
refused 'no model' 'import_model || fail "no model"'

mkdir -p .deps/smollm2
echo broken >"$gguf"
for caller in 'import_model || fail "no model"' 'if import_model; then echo there; fi'; do
  refused 'the import failed' "$caller"
  expect test ! -e "$model"
done

# Of another hash than the known one: refused, and still there.
refused 'move it away' 'fetch_model || echo "not fetched"'
expect grep -q broken "$gguf"
echo mine >"$gguf"
hash=$(sha256sum <"$gguf")
expect steps "GGUF_SHA256=${hash%% *}; fetch_model || fail 'no GGUF'"
expect grep -q 'all there' log

mkdir -p "$model"
echo notes >"$model/notes.txt"
refused 'move it away' 'import_model || fail "no model"'
expect test "$(ls "$model")" = notes.txt
rm "$model/notes.txt"

# Into an empty folder; the second time it stays as it is.
expect steps 'import_model || fail "no model"'
expect test "$(ls "$model")" = "$(printf 'config.json\nmodel.safetensors')"
echo mine >"$model/model.safetensors"
expect steps 'import_model || fail "no model"'
expect grep -q mine "$model/model.safetensors"
expect test ! -e "$model.part"
