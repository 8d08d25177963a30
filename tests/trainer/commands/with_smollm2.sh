#!/usr/bin/env bash
# A small run on 2 ranks with the real model, and every command that works on a model or a run: validate, inspect-data, predict, evaluate,
# draft-prompt. Exit 77 (skipped) without the model.
# shellcheck source=tests/trainer/commands/real_model.sh
source "$(dirname "$0")/real_model.sh"
# Few labels make a short prompt, and texts of one kind are learned in a few steps.
cat >"$out/recipe.yaml" <<YAML
name: mail
model: {path: models/smollm2-135m-instruct, dtype: float32}
data: {train: $out/texts.jsonl, split: {by: template_id, train: 6, validation: none, test: 2}}
labels:
  PERSON: name of a person
  EMAIL_ADDRESS: e-mail address
task:
  prompt: explain

training:
  epochs: 2
  global_batch: 2
  optimizer: {lr: 3.0e-3}
  schedule: {warmup_steps: 0}
  evaluate_every: none
generation: {max_new_tokens: 32}
evaluation: {baseline: none}
YAML
python3 - >"$out/texts.jsonl" <<'PYTHON'
import json
for n, name in enumerate(["Ida", "Zoë", "Tom", "Ann", "Lea", "Max", "Eva", "Kim"]):
    text = f"😀 Mail {name} at {name.lower()}@mail.example."
    entities = [{"label": label, "value": value, "start": text.index(value), "end": text.index(value) + len(value)}
                for label, value in (("PERSON", name), ("EMAIL_ADDRESS", f"{name.lower()}@mail.example"))]
    print(json.dumps({"id": f"t{n}", "text": text, "template_id": n, "entities": entities}, ensure_ascii=False))
PYTHON
recipe=(--recipe "$out/recipe.yaml" task.prompt=minimal)
run=("${recipe[@]}" output="$out/run")

on_two_ranks() { mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -np 2 "$trainer" "$@"; }
expect() { grep -qE -- "$1" "$2" || { echo "expected /$1/ in:"; cat "$2"; exit 1; }; }
timed() { echo "[$SECONDS s] $*"; }

timed validate
"$trainer" validate "${run[@]}" --world-size 2 >"$out/validate"
expect '^cell 0: mail: 6 training, 0 validation, 2 test texts; chat smollm2$' "$out/validate"
expect ': valid on 2 ranks$' "$out/validate"

timed inspect-data
"$trainer" inspect-data "${run[@]}" --samples 6 --color never >"$out/inspect"
expect '^train: 6 texts, [0-9.]+ prompt tokens and [0-9.]+ supervised tokens a text, longest [0-9]+$' "$out/inspect"
expect '^test: 2 texts' "$out/inspect"
python3 - "$out/inspect" <<'PYTHON'
import re, sys
shown = open(sys.argv[1], encoding="utf-8").read()
samples = re.findall(r"^--- .*?: (\d+) prompt tokens, (\d+) supervised tokens, (\d+) entities\n(.*?)>>>supervised>>>(.*?)<<<\n", shown, re.M | re.S)
assert len(samples) == 6, len(samples)
for prompt_tokens, supervised, count, prompt, answer in samples:
    # The loss is on the answer and its end, and on no more: without its tags it is the text that the prompt ends with.
    end = "<|im_end|>\n<|im_start|>assistant\n"
    assert prompt.endswith(end) and answer.endswith("<|im_end|>")
    text = prompt[prompt.rindex("Text:\n") + len("Text:\n"):-len(end)]
    plain, tags = re.subn(r"</?[A-Z_]+>", "", answer.removesuffix("<|im_end|>"))
    assert plain == text and tags == 2 * int(count)
    assert int(count) == 2 and int(prompt_tokens) > int(supervised) > 1
counted = shown[shown.index("\ntrain: "):shown.index("\ntest: ")]
assert re.findall(r"^  ([A-Z_]+) +(\d+)$", counted, re.M) == [("EMAIL_ADDRESS", "6"), ("PERSON", "6")]
PYTHON

timed train
on_two_ranks "${run[@]}"
expect '</html>' "$out/run/report.html"

timed predict --text
"$trainer" predict "$out/run" --text '😀 Mail Ned at ned@mail.example.' --set generation.max_new_tokens=3 >"$out/one.jsonl"
timed predict --input
cat >"$out/in.jsonl" <<'JSONL'
{"id": "b", "text": "😀 Mail Bob at bob@mail.example."}
{"id": "a", "text": "😀 Mail Anaïs at anais@mail.example."}
{"id": 7, "text": "Nothing."}
JSONL
on_two_ranks predict "$out/run" --input - <"$out/in.jsonl" >"$out/spans.jsonl"
python3 - "$out" <<'PYTHON'
import json, sys
def lines(name):
    return [json.loads(line) for line in open(f"{sys.argv[1]}/{name}", encoding="utf-8")]
texts, answers, (one,) = lines("in.jsonl"), lines("spans.jsonl"), lines("one.jsonl")
print("spans:", [[(e["label"], e["value"]) for e in answer["entities"]] for answer in answers])
assert [answer["id"] for answer in answers] == ["b", "a", "7"], answers
for text, answer in zip(texts, answers):
    assert set(answer) == {"id", "entities", "well_formed", "hit_max_tokens", "windows"}, answer
    for entity in answer["entities"]:
        assert text["text"][entity["start"]:entity["end"]] == entity["value"] != "", entity
assert any(answer["entities"] for answer in answers), "the run learned nothing: no span to check"
assert one["id"] == "1" and one["hit_max_tokens"], one
PYTHON

timed evaluate
on_two_ranks evaluate "$out/run" --output "$out/test.json" >"$out/table"
expect mail "$out/table"
timed evaluate --data
cat >"$out/other.jsonl" <<'JSONL'
{"id": "x", "text": "Ida called.", "template_id": "t1", "entities": [{"start": 0, "end": 3, "label": "PERSON", "value": "Ida"}]}
JSONL
"$trainer" evaluate "$out/run" --data "$out/other.jsonl" --output "$out/other.json" >"$out/table"
python3 - "$out" <<'PYTHON'
import json, sys
test, other, summary = (json.load(open(f"{sys.argv[1]}/{name}")) for name in ("test.json", "other.json", "run/summary.json"))
scores = summary["cells"][0]["scores"]["test"]
assert scores["health"]["answers"] == 2
assert test["scores"]["test"] == scores, (test["scores"], scores)
assert other["generate"]["texts"] == other["scores"]["test"]["health"]["answers"] == 1
assert {label: score["support"] for label, score in other["scores"]["test"]["per_label"].items() if score["support"]} == {"PERSON": 1}
PYTHON

# refused PATTERN COMMAND...: exits with 2 and says PATTERN
refused() {
  local pattern=$1 rc=0
  shift
  "$@" >/dev/null 2>"$out/refusal" || rc=$?
  [ "$rc" -eq 2 ] || { echo "expected exit code 2, found $rc: $*"; cat "$out/refusal"; exit 1; }
  expect "$pattern" "$out/refusal"
}
timed evaluate what is not there, which is said before the weights are missed
mkdir "$out/no-weights"
cp models/smollm2-135m-instruct/*.json "$out/no-weights"
rm -f "$out"/no-weights/*.safetensors.index.json
unloaded=(--set model.path="$out/no-weights")
refused '--split validation: expected texts to answer, found none' "$trainer" evaluate "$out/run" "${unloaded[@]}" --split validation
refused 'absent.jsonl: expected a data file, found nothing' "$trainer" evaluate "$out/run" "${unloaded[@]}" --data "$out/absent.jsonl"
refused 'no-weights' "$trainer" evaluate "$out/run" "${unloaded[@]}"
timed predict and evaluate from another folder
refused 'model.path: expected .*--set model.path=DIR' env -C "$out" "$trainer" predict "$out/run" --text x
refused 'model.path: expected .*--set model.path=DIR' env -C "$out" "$trainer" evaluate "$out/run"
env -C "$out" "$trainer" evaluate "$out/run" --cell 0 --set model.path="$PWD/models/smollm2-135m-instruct" --output "$out/moved.json" >/dev/null
python3 -c "import json, sys; a, b = (json.load(open(f'{sys.argv[1]}/{name}.json'))['scores'] for name in ('test', 'moved')); assert a == b" "$out"

timed export
"$trainer" export "$out/run" --to peft --output "$out/adapter" >"$out/exported"
expect '/adapter: written$' "$out/exported"
for file in adapter_config.json adapter_model.safetensors; do cmp "$out/adapter/$file" "$out/run/cells/mail/adapter/$file"; done
on_two_ranks export "$out/run" --to merged --output "$out/merged" >"$out/exported"
expect '/merged: written; largest logit difference [0-9.e-]+ \(logits up to [0-9.]+\), same first choice at 64 of 64 positions$' "$out/exported"
rc=0
"$trainer" export "$out/run" --to hf --output "$out/hf" 2>"$out/refusal" || rc=$?
[ "$rc" -eq 2 ] || { echo "expected exit code 2 for --to hf of a LoRA run, found $rc"; exit 1; }
expect 'expected a full fine-tuning for --to hf, found training.method: lora; give --to peft, or --to merged' "$out/refusal"
[ ! -e "$out/hf" ]
timed the merged model
on_two_ranks "${recipe[@]}" output="$out/as-merged" training.method=none model.path="$out/merged"
python3 - "$out" <<'PYTHON'
import json, sys
def scores(run):
    return json.load(open(f"{sys.argv[1]}/{run}/summary.json"))["cells"][0]["scores"]["test"]
words = open(f"{sys.argv[1]}/exported", encoding="utf-8").read().split()
assert float(words[words.index("difference") + 1]) < 1e-2, words
assert scores("as-merged") == scores("run"), (scores("as-merged"), scores("run"))
PYTHON
# The same answers in transformers and PEFT, where ENTUNE_PYTHON has them.
if [ -n "${ENTUNE_PYTHON:-}" ]; then
  timed transformers and PEFT
  "$ENTUNE_PYTHON" - "$out" models/smollm2-135m-instruct <<'PYTHON'
import sys
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
out, base = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(f"{out}/merged")
merged = AutoModelForCausalLM.from_pretrained(f"{out}/merged", dtype=torch.float32).eval()
adapter = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), f"{out}/adapter").eval()
ids = tokenizer("<|im_start|>user\nText:\nMail Ned at ned@mail.example.<|im_end|>\n<|im_start|>assistant\n", return_tensors="pt")
with torch.no_grad():
    a, b = merged(**ids).logits, adapter(**ids).logits
    plain = adapter.disable_adapter()
    with plain:
        c = adapter(**ids).logits
    answers = [model.generate(**ids, do_sample=False, max_new_tokens=16)[0].tolist() for model in (merged, adapter)]
print("difference", (a - b).abs().max().item(), "of the adapter", (b - c).abs().max().item())
assert (a - b).abs().max() < 1e-3 * b.abs().max() < (b - c).abs().max()
assert answers[0] == answers[1], answers
PYTHON
fi

# What draft-prompt prints takes the place of `task:` in the recipe that it was drafted for, here one with and one without a study.
cp "$out/recipe.yaml" "$out/one.yaml"
printf 'study:\n  task.format: [xml, json]\n' | cat "$out/recipe.yaml" - >"$out/study.yaml"
for name in one study; do
  timed draft-prompt "$name"
  "$trainer" draft-prompt --recipe "$out/$name.yaml" generation.max_new_tokens=2 >"$out/$name.lines" 2>"$out/$name.warnings"
  sed -e "/^task:/,/^\$/{/^task:/r $out/$name.lines" -e 'd}' "$out/study.yaml" >"$out/drafted.yaml"
  "$trainer" validate --recipe "$out/drafted.yaml" >"$out/validate"
  expect '^cell 1: format=json: 6 training' "$out/validate"
  for cell in 0 1; do "$trainer" inspect-data --recipe "$out/drafted.yaml" --cell "$cell" --samples 1 --color never >"$out/$name-$cell"; done
done
for cell in 0 1; do
  "$trainer" inspect-data --recipe "$out/study.yaml" --cell "$cell" --samples 1 --color never >"$out/built-in-$cell"
done
expect 'warning: the confirmation was cut at 2 tokens' "$out/study.warnings"
expect 'warning: the explanation was cut at 2 tokens' "$out/one.warnings"
timed turns
python3 - "$out" <<'PYTHON'
import re, sys
def turns(name):
    shown = open(f"{sys.argv[1]}/{name}", encoding="utf-8").read()
    shown = shown[shown.index("\n--- "):shown.index(">>>supervised>>>", shown.index("\n--- "))]
    return re.findall(r"<\|im_start\|>(\w+)\n(.*?)(?:<\|im_end\|>|$)", shown, re.S)
def assistant(turns):
    return [text for role, text in turns if role == "assistant"]
def printed(name, role="assistant"):
    lines = open(f"{sys.argv[1]}/{name}.lines", encoding="utf-8").read()
    blocks = re.findall(r"    - role: (\w+)(.*)\n      text: \|2-\n((?:        .*\n)+)", lines)
    return [("drafted" in comment.split(":")[0] and "not drafted" not in comment, re.sub("^        ", "", text, flags=re.M)[:-1])
            for who, comment, text in blocks if who == role]
for cell in (0, 1):
    built_in = turns(f"built-in-{cell}")
    for name, drafted in (("study", {0}), ("one", {0, 2})):
        found, lines = turns(f"{name}-{cell}"), printed(name)
        assert {i for i, (is_drafted, _) in enumerate(lines) if is_drafted} == drafted, lines
        assert len(found) == len(built_in)
        # Read back to the letter where the model wrote, as built in elsewhere: the users' turns, the example and its answer in this format.
        for i, (mine, theirs) in enumerate(zip(assistant(found), assistant(built_in))):
            assert mine == (lines[i][1] if i in drafted else theirs), (name, cell, i, mine)
        assert [turn for turn in found if turn[0] != "assistant"] == [turn for turn in built_in if turn[0] != "assistant"]
PYTHON
timed end
