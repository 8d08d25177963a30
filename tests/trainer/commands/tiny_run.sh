# Sourced by scripts that run and interrupt a whole training on CPUs: tiny_run ROOT BUILD OUT STEPS_PER_EPOCH EPOCHS leaves in OUT a tiny
# model, texts and recipe.yaml, a training of seconds, and sets `trainer`.
tiny_run() {
  local root=$1 build=$2 out=$3 steps=$4 epochs=$5
  trainer=$build/bin/trainer
  "$build/bin/write_tiny_model" "$out/model"
  python3 - "$((steps * 4))" >"$out/texts.jsonl" <<'PYTHON'
import json, sys
count = int(sys.argv[1])
for n in range(count + count // 2):
    name = ("Ida", "Zoë", "Tom", "Ann")[n % 4]
    text = f"{n} letters for {name}"
    start = text.index(name)
    print(json.dumps({"id": f"t{n}", "text": text, "template_id": n,
                      "entities": [{"label": "PERSON", "value": name, "start": start, "end": start + len(name)}]}, ensure_ascii=False))
PYTHON
  cat >"$out/recipe.yaml" <<YAML
name: tiny
model: {path: $out/model, chat: chatml, dtype: float32}
data: {train: $out/texts.jsonl, split: {by: template_id, train: $((steps * 4)), validation: 2, test: 2}}
labels:
  PERSON: name of a person
task: {prompt: minimal}
training: {lora: {rank: 256, alpha: 256}, epochs: $epochs, global_batch: 4, evaluate_every: none}
generation: {max_new_tokens: 4}
evaluation: {baseline: none, bootstrap: 0}
checkpoint: {every: 5}
YAML
}
# Ranks that wait give way: the machine may have fewer cores than ranks.
on_ranks() {
  local ranks=$1
  shift
  mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -np "$ranks" "$trainer" "$@"
}
