#!/usr/bin/env bash
# deidentify and reidentify as a user meets them: from given spans and from those of a file; keys, modes, resuming and bad input. No value
# and no text in what is said. Spans that a run finds: documents.py.
set -euo pipefail
cd "$1"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
trainer=$2/bin/trainer
export ENTUNE_DEIDENTIFY_KEY=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f

fail() { echo "$*"; exit 1; }
# said COMMAND...: its standard error in $out/said, which must hold none of the values
said() {
  "$@" 2>"$out/said" || { cat "$out/said"; fail "failed: $*"; }
  if grep -qE 'Ida|Holm|0199|4111|secret' "$out/said"; then cat "$out/said"; fail "a value was said by: $*"; fi
}
# refused PATTERN COMMAND...: exits with 2 and says PATTERN, but no value
refused() {
  local pattern=$1 rc=0
  shift
  "$@" >"$out/stdout" 2>"$out/said" || rc=$?
  [ "$rc" -eq 2 ] || { cat "$out/said"; fail "expected exit code 2, found $rc: $*"; }
  grep -qE -- "$pattern" "$out/said" || { cat "$out/said"; fail "expected /$pattern/ from: $*"; }
  if grep -qE 'Ida|Holm|0199|4111|secret' "$out/said"; then cat "$out/said"; fail "a value was said by: $*"; fi
}
member() { python3 -c 'import json, sys; print(json.loads(open(sys.argv[1]).readlines()[int(sys.argv[2]) - 1])[sys.argv[3]])' "$@"; }

python3 - "$out" <<'PYTHON'
import json, sys
out = sys.argv[1]
texts = [("a", "Für Ida Holm 😀: call 555-0199, card 4111 1111 1111 1111, on 2024-02-28.",
          {"Ida Holm": "PERSON", "555-0199": "PHONE_NUMBER", "4111 1111 1111 1111": "CREDIT_CARD", "2024-02-28": "DATE_TIME"}),
         ("b", "Nothing here, but <PERSON:AAAA> looks encrypted.", {}),
         ("c", "Ida Holm again; secret word", {"Ida Holm": "PERSON", "secret": "CODE"})]
with open(f"{out}/docs.jsonl", "w") as docs, open(f"{out}/spans.jsonl", "w") as spans, open(f"{out}/texts.jsonl", "w") as plain:
    for id, text, values in texts:
        entities = [{"start": text.index(v), "end": text.index(v) + len(v), "label": l, "value": v} for v, l in values.items()]
        docs.write(json.dumps({"id": id, "text": text, "entities": entities}, ensure_ascii=False) + "\n")
        spans.write(json.dumps({"id": id, "entities": entities}) + "\n")
        plain.write(json.dumps({"id": id, "text": text}) + "\n")
PYTHON
cat >"$out/policy.yaml" <<'YAML'
key: {env: ENTUNE_DEIDENTIFY_KEY}
labels:
  PERSON: surrogate
  PHONE_NUMBER: {operator: mask, char: "#"}
  CREDIT_CARD: surrogate
  DATE_TIME: date_shift
YAML
sed 's/^labels:/default: encrypt/; /^  /d' "$out/policy.yaml" >"$out/encrypt.yaml"

# Given spans, in the documents and in a file of their own: the same output.
said "$trainer" deidentify -p "$out/policy.yaml" -i "$out/docs.jsonl" -o "$out/out.jsonl" --audit "$out/audit.jsonl"
grep -q 'note: date_shift .* not HIPAA Safe Harbor' "$out/said"
grep -q '3 documents; spans: date_shift 1, mask 1, replace 1, surrogate 3' "$out/said"
grep -q 'does not name, by the default: CODE 1' "$out/said"
said "$trainer" deidentify -p "$out/policy.yaml" -i "$out/texts.jsonl" --spans "$out/spans.jsonl" -o "$out/out2.jsonl"
cmp "$out/out.jsonl" "$out/out2.jsonl"
for file in out audit; do [ "$(stat -c %a "$out/$file.jsonl")" = 600 ] || fail "$file.jsonl is not 0600"; done
if grep -qE 'Ida|Holm|0199|4111|secret|2024-02-28' "$out/out.jsonl" "$out/audit.jsonl"; then fail "a value is left"; fi
member "$out/out.jsonl" 1 text | grep -qE '^Für [A-Z][a-z]+ [A-Z][a-zA-Z]+ 😀: call ########, card 4[0-9]{3} [0-9]{4} [0-9]{4} [0-9]{4}, on 202[345]-[0-9]{2}-[0-9]{2}\.$'
member "$out/out.jsonl" 3 text | grep -qE '^[A-Z][a-z]+ [A-Z][a-zA-Z]+ again; <CODE> word$'
[ "$(member "$out/audit.jsonl" 1 policy_sha256)" = "$(sha256sum <"$out/policy.yaml" | cut -d' ' -f1)" ]
python3 - "$out" <<'PYTHON'
import json, sys
out = sys.argv[1]
for document, new, audit in zip(*(map(json.loads, open(f"{out}/{name}.jsonl")) for name in ("docs", "out", "audit"))):
    rebuilt, at, new_at = "", 0, 0
    for span in audit["spans"]:
        assert document["text"][at:span["start"]] == new["text"][new_at:span["new_start"]]
        at, new_at = span["end"], span["new_end"]
    assert document["text"][at:] == new["text"][new_at:]
    assert [(s["new_start"], s["new_end"], s["label"], s["operator"]) for s in audit["spans"]] == [tuple(e.values()) for e in new["entities"]]
PYTHON

# Encrypted and back: the same texts and spans. The look-alike of document b stays.
said "$trainer" deidentify -p "$out/encrypt.yaml" -i "$out/docs.jsonl" -o "$out/sealed.jsonl"
if grep -qE 'Ida|0199|4111|secret' "$out/sealed.jsonl"; then fail "a value is left"; fi
said "$trainer" reidentify -p "$out/encrypt.yaml" -i "$out/sealed.jsonl" -o "$out/back.jsonl"
grep -q '3 documents; 6 values restored' "$out/said"
[ "$(stat -c %a "$out/back.jsonl")" = 600 ]
python3 - "$out" <<'PYTHON'
import json, sys
for document, back in zip(*(map(json.loads, open(f"{sys.argv[1]}/{name}.jsonl")) for name in ("docs", "back"))):
    for entity in document["entities"]: del entity["value"]
    assert document == back, (document["id"])
PYTHON
# The same key from a file; then keys that do not do.
(umask 077; printf '%s\n' "$ENTUNE_DEIDENTIFY_KEY" >"$out/key")
said "$trainer" reidentify --key-file "$out/key" -i "$out/sealed.jsonl" -o "$out/back2.jsonl"
cmp "$out/back.jsonl" "$out/back2.jsonl"
chmod 640 "$out/key"
refused 'its owner alone may read, found mode 0640' "$trainer" reidentify --key-file "$out/key" -i "$out/sealed.jsonl" -o "$out/no.jsonl"
refused 'ENTUNE_DEIDENTIFY_KEY, found nothing' env -u ENTUNE_DEIDENTIFY_KEY "$trainer" deidentify -p "$out/policy.yaml" -i "$out/docs.jsonl" -o "$out/no.jsonl"
refused 'one of --policy, --key-file and --key-env' "$trainer" reidentify -i "$out/sealed.jsonl" -o "$out/no.jsonl"
other=${ENTUNE_DEIDENTIFY_KEY/0001/0002}
refused 'sealed.jsonl:1: document a: entity 1 \(.*PERSON.*\[4, [0-9]+\)\): cannot be decrypted' \
  env ENTUNE_DEIDENTIFY_KEY="$other" "$trainer" reidentify --key-env ENTUNE_DEIDENTIFY_KEY -i "$out/sealed.jsonl" -o "$out/no.jsonl" --overwrite
sed '3s/"c"/"x"/' "$out/sealed.jsonl" >"$out/swapped.jsonl"
refused 'swapped.jsonl:3: document x: entity 1 .*cannot be decrypted' "$trainer" reidentify --key-env ENTUNE_DEIDENTIFY_KEY -i "$out/swapped.jsonl" -o "$out/no.jsonl" --overwrite
python3 - "$out" <<'PYTHON'
import sys
lines = open(f"{sys.argv[1]}/sealed.jsonl").read()
at = lines.index("<CODE:") + 10
open(f"{sys.argv[1]}/changed.jsonl", "w").write(lines[:at] + ("A" if lines[at] != "A" else "B") + lines[at + 1:])
PYTHON
refused 'changed.jsonl:3: document c: entity 2 .*CODE.*cannot be decrypted' "$trainer" reidentify --key-env ENTUNE_DEIDENTIFY_KEY -i "$out/changed.jsonl" -o "$out/no.jsonl" --overwrite

# Cut off in the second document, and gone on with: what is there stays, the whole is the same.
head -c $(($(head -1 "$out/out.jsonl" | wc -c) + 20)) "$out/out.jsonl" >"$out/part.jsonl"
: >"$out/part_audit.jsonl"
said "$trainer" deidentify -p "$out/policy.yaml" -i "$out/docs.jsonl" -o "$out/part.jsonl" --audit "$out/part_audit.jsonl" --resume
cmp "$out/out.jsonl" "$out/part.jsonl"
cmp "$out/audit.jsonl" "$out/part_audit.jsonl"
# Another policy, and another key, are noticed without an audit too.
refused 'out.jsonl:1: expected a line of this policy and key' "$trainer" deidentify -p "$out/encrypt.yaml" -i "$out/docs.jsonl" -o "$out/out.jsonl" --resume
refused 'out.jsonl:1: expected a line of this policy and key' \
  env ENTUNE_DEIDENTIFY_KEY="$other" "$trainer" deidentify -p "$out/policy.yaml" -i "$out/docs.jsonl" -o "$out/out.jsonl" --audit "$out/audit.jsonl" --resume
# Cut off between a line of the output and its line of the audit, where every document has the same id.
sed 's/"id": "[abc]"/"id": "a"/' "$out/docs.jsonl" >"$out/same_ids.jsonl"
said "$trainer" deidentify -p "$out/policy.yaml" -i "$out/same_ids.jsonl" -o "$out/same.jsonl" --audit "$out/same_audit.jsonl"
head -2 "$out/same.jsonl" >"$out/part.jsonl"
head -1 "$out/same_audit.jsonl" >"$out/part_audit.jsonl"
said "$trainer" deidentify -p "$out/policy.yaml" -i "$out/same_ids.jsonl" -o "$out/part.jsonl" --audit "$out/part_audit.jsonl" --resume
cmp "$out/same.jsonl" "$out/part.jsonl"
cmp "$out/same_audit.jsonl" "$out/part_audit.jsonl"
refused 'out.jsonl: expected no file there' "$trainer" deidentify -p "$out/policy.yaml" -i "$out/docs.jsonl" -o "$out/out.jsonl"
refused 'expected another file than' "$trainer" deidentify -p "$out/policy.yaml" -i "$out/docs.jsonl" -o "$out/docs.jsonl" --overwrite
refused 'expected another file than' "$trainer" deidentify -p "$out/policy.yaml" -i "$out/docs.jsonl" -o "$out/n.jsonl" --audit "$out/n.jsonl"
chmod 600 "$out/key"
refused 'key: expected another file than the key.s' "$trainer" reidentify --key-file "$out/key" -i "$out/sealed.jsonl" -o "$out/key" --overwrite
sed "s|env: ENTUNE_DEIDENTIFY_KEY|file: $out/key|" "$out/policy.yaml" >"$out/with_file.yaml"
refused 'key: expected another file than the key.s' "$trainer" deidentify -p "$out/with_file.yaml" -i "$out/docs.jsonl" -o "$out/n.jsonl" --audit "$out/key" --overwrite
refused 'expected another file than' "$trainer" reidentify -p "$out/with_file.yaml" -i "$out/sealed.jsonl" -o "$out/with_file.yaml" --overwrite
[ "$(cat "$out/key")" = "$ENTUNE_DEIDENTIFY_KEY" ] && [ "$(wc -l <"$out/docs.jsonl")" -eq 3 ]

# Bad input.
deidentify() { "$trainer" deidentify -p "$out/policy.yaml" -o "$out/no.jsonl" --overwrite "$@"; }
printf '{"id": "a", "text": "Ida \\xff", "entities": []}\n' >"$out/bad.jsonl"
refused 'bad.jsonl:1: .*UTF-8' deidentify -i "$out/bad.jsonl"
tac "$out/spans.jsonl" >"$out/turned.jsonl"
refused 'turned.jsonl:1: expected the spans of document a .*texts.jsonl:1.*, found those of c' deidentify -i "$out/texts.jsonl" --spans "$out/turned.jsonl"
refused 'either a run, .* or --spans' deidentify runs/x -i "$out/texts.jsonl" --spans "$out/spans.jsonl"
