#!/usr/bin/env python3
"""Writes train.jsonl and test.jsonl of a Presidio JSON file from lists of sample numbers, so that another program's split can be used.

    split_from_ids.py synth_dataset_v2.json split.json OUT     split.json: {"train": [0, 5, ...], "test": [...]}, places in the file
"""
import json
import pathlib
import sys

source, split, out = sys.argv[1:]
samples = json.load(open(source, encoding="utf-8"))
pathlib.Path(out).mkdir(parents=True, exist_ok=True)
for side, numbers in json.load(open(split)).items():
    with open(pathlib.Path(out) / f"{side}.jsonl", "w", encoding="utf-8") as file:
        for number in numbers:
            sample = samples[number]
            spans = sorted((s["start_position"], s["end_position"], s["entity_type"], s["entity_value"]) for s in sample["spans"])
            entities = [{"start": a, "end": b, "label": label, "value": value} for a, b, label, value in spans]
            line = {"id": f"presidio-{number}", "text": sample["full_text"], "template_id": sample["template_id"], "entities": entities}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
