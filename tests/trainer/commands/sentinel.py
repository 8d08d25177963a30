#!/usr/bin/env python3
"""sentinel.py ROOT BUILD: texts whose values are a made-up marker go through every command, a crash, a hang and bad input of every reader.

The marker is then looked for in every file that was made and every stream that was captured (output, errors, pages of metrics, MPI's session
folders, its segments of shared memory): plain in any case, a prefix and a tail of it, as JSON escapes, base64, hexadecimal, UTF-16 and UTF-32,
and as token ids, written or binary. It may be in the data files, and where it was asked for: predictions, what predict writes, a page with
--examples. Ids and labels of samples may be shown, so none of them holds it; the member that splits the data is no id, and does."""

import base64
import concurrent.futures
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT, BUILD = (pathlib.Path(a).resolve() for a in sys.argv[1:3])
OUT = pathlib.Path(tempfile.mkdtemp(prefix="sentinel-"))
DATA, ASKED, STREAMS, RUNS = (OUT / name for name in ("data", "asked", "streams", "runs"))
TRAINER = str(BUILD / "bin" / "trainer")
MPIRUN = ["mpirun", "--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1", "-np", "2"]
FIRST, LAST, NUMBER = "Zzqxvarn", "Qwyndelm", "80596-17243"
STARTED = time.time()


class Failed(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Failed(what)


# --- the search ---

def forms():
    """name: regular expression over lower-case bytes, or over bytes as they are where case means something."""
    either, exact = {}, {}
    for word in (FIRST, LAST, NUMBER, NUMBER.replace("-", ""), FIRST[:5], FIRST[3:], LAST[:5], LAST[3:]):
        either[f"plain {word}"] = re.escape(word.lower().encode())
    for word in (FIRST, LAST):
        small = word.lower()[2:]
        either[f"hexadecimal {word}"] = small.encode().hex().encode()
        either[f"UTF-16 {word}"] = re.escape(small.encode("utf-16-le"))
        either[f"UTF-32 {word}"] = re.escape(small.encode("utf-32-le"))
        either[f"64-bit ids {word}"] = re.escape(b"".join(struct.pack("<q", byte) for byte in small.encode()))
        either[f"written ids {word}"] = rb"[\s,]+".join(str(byte).encode() for byte in small.encode())
        for shift in range(3):
            encoded = base64.b64encode(b"\0" * shift + word.encode())
            exact[f"base64 {word}, {shift}"] = re.escape(encoded[(8 * shift + 5) // 6:8 * (shift + len(word)) // 6])
    return [(name, re.compile(form), True) for name, form in either.items()] + \
           [(name, re.compile(form), False) for name, form in exact.items()]


FORMS = forms()


def found_in(content):
    lower = content.lower()
    return [name for name, form, small in FORMS if form.search(lower if small else content)]


def check_the_search():
    word = LAST.encode()
    planted = [word.upper(), b'"Zzqxv\\u00e4rn"', base64.b64encode(b"to " + word), word.hex().upper().encode(), LAST.encode("utf-16-le"),
               json.dumps(list(word), indent=1).encode(), struct.pack("<8q", *word), b"8059617243"]
    for content in planted:
        expect(found_in(b"\0x " + content + b" y"), f"the search does not find {content}")
    expect(not found_in(b"no marker, 80596 and 17243 apart"), "the search finds what is not there")


def files_below(place):
    """Folders of MPI may still be going: what is no longer there is passed over."""
    return [pathlib.Path(folder, name) for folder, _, names in os.walk(place) for name in names]


def search():
    """Every file of the test but the data and what was asked for, and the shared memory that is left."""
    hits, num_files = [], 0
    places = [OUT, pathlib.Path("/dev/shm")]
    for place in places:
        for path in files_below(place):
            if DATA in path.parents or ASKED in path.parents or not path.is_file() or path.is_symlink():
                continue
            try:
                if place != OUT and path.stat().st_mtime < STARTED:
                    continue
                names = found_in(str(path).encode()) + found_in(path.read_bytes())
            except (FileNotFoundError, PermissionError):
                continue
            num_files += 1
            hits += [f"{path}: {name}" for name in names]
    return hits, num_files


# --- the data ---

def sample(n):
    name, phone = f"{FIRST} {LAST}", NUMBER
    text = (f"{n} letters for {name}.", f"Call {phone}, ask for {name} \U0001f600", f"Zzqxv\u00e4rn wrote {n} times")[n % 3]
    entities = [{"label": label, "value": value, "start": text.index(value), "end": text.index(value) + len(value)}
                for label, value in (("PERSON", name), ("PERSON", "Zzqxv\u00e4rn"), ("PHONE_NUMBER", phone)) if value in text]
    return {"id": f"t{n}", "text": text, "patient": f"{name} {n}", "entities": entities}


def as_presidio(item):
    return {"full_text": item["text"], "patient": item["patient"],
            "spans": [{"entity_type": e["label"], "entity_value": e["value"], "start_position": e["start"], "end_position": e["end"]}
                      for e in item["entities"]]}


def write_data():
    for folder in (DATA, ASKED, STREAMS, RUNS, OUT / "tmp", OUT / "work"):
        folder.mkdir()
    lines = [json.dumps(sample(n), ensure_ascii=n % 2 == 0) for n in range(30)]
    (DATA / "texts.jsonl").write_text("\n".join(lines) + "\n")
    (DATA / "plain.txt").write_text("\n".join(sample(n)["text"] for n in range(4)) + "\n")
    subprocess.run([BUILD / "bin" / "write_tiny_model", OUT / "model"], check=True)
    (OUT / "recipe.yaml").write_text(f"""name: tiny
model: {{path: {OUT}/model, chat: chatml, dtype: float32}}
data: {{train: {DATA}/texts.jsonl, split: {{by: patient, train: 20, validation: 4, test: 6}}}}
labels: {{PERSON: name of a person, PHONE_NUMBER: telephone number}}
task: {{prompt: minimal}}
training: {{lora: {{rank: 4, alpha: 4}}, epochs: 20, global_batch: 4, evaluate_every: epoch, optimizer: {{lr: 0.01}}}}
generation: {{max_new_tokens: 24}}
evaluation: {{splits: [validation, test], bootstrap: 50, baseline: patterns}}
checkpoint: {{every: 10}}
""")


# --- programs ---

ENVIRONMENT = dict(os.environ, ENTUNE_DEIDENTIFY_KEY="5a" * 32, TMPDIR=str(OUT / "tmp"), OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMP_NUM_THREADS="1")


def allow_core_files():
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))


def start(name, command, stdout=None):
    with (STREAMS / f"{name}.err").open("wb") as err, (stdout or STREAMS / f"{name}.out").open("wb") as out:
        return subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, env=ENVIRONMENT, cwd=OUT / "work",
                                preexec_fn=allow_core_files)


def run(name, *arguments, code=0, ranks=1, stdout=None):
    command = (MPIRUN if ranks == 2 else []) + [TRAINER, *map(str, arguments)]
    ended = start(name, command, stdout).wait(120)
    said = (STREAMS / f"{name}.err").read_text(errors="replace")
    expect(ended == code, f"{name}: expected exit code {code}, found {ended}: {said[-800:]}")
    return said


def recipe(output, *overrides):
    return ["--recipe", OUT / "recipe.yaml", f"output={RUNS / output}", *overrides]


def train_and_scrape():
    targets = OUT / "targets.json"
    job = start("train", MPIRUN + [TRAINER, *map(str, recipe("run", f"telemetry.metrics.targets_file={targets}"))])
    pages = 0
    while job.poll() is None:
        try:
            addresses = [address for target in json.loads(targets.read_text()) for address in target["targets"]]
            for rank, address in enumerate(addresses):
                page = urllib.request.urlopen(f"http://{address}/metrics", timeout=2).read()
                (STREAMS / f"metrics-{rank}.txt").write_bytes(page)
                pages += b"entune_steps_total" in page
        except (OSError, ValueError):
            pass
        time.sleep(0.1)
    expect(job.returncode == 0, f"train: exit code {job.returncode}: {(STREAMS / 'train.err').read_text()[-800:]}")
    expect(pages > 1, "no page of metrics was read while it trained")


def ranks_of(output):
    """Processes of a run's ranks, once it trains."""
    for _ in range(400):
        processes = []
        for rank in (0, 1):
            try:
                data = (RUNS / output / "watchdog" / f"rank-{rank}").read_bytes()[:96]
                processes.append(struct.unpack_from("q", data, 88)[0])
            except (OSError, struct.error):
                pass
        steps = RUNS / output / "cells" / "tiny" / "steps.jsonl"
        if len(processes) == 2 and all(processes) and steps.exists() and steps.stat().st_size > 0:
            return processes
        time.sleep(0.05)
    raise Failed(f"{output}: no step within 20 s")


def crash(number):
    name = f"crash-{number.name}"
    job = start(name, MPIRUN + [TRAINER, *map(str, recipe(name, "training.epochs=5000", "telemetry.metrics.enabled=false"))])
    process = ranks_of(name)[1]
    limits = pathlib.Path(f"/proc/{process}/limits").read_text()
    expect(re.search(r"Max core file size +0 ", limits), f"a core file would be written: {limits}")
    expect(int(pathlib.Path(f"/proc/{process}/coredump_filter").read_text(), 16) == 0, "a core would hold memory")
    os.kill(process, number)
    expect(job.wait(60) not in (0, 85), f"{name}: it did not die")


def hang():
    job = start("hang", MPIRUN + [TRAINER, *map(str, recipe("hang", "training.epochs=5000", "telemetry.metrics.enabled=false",
                                                            "watchdog.collective_seconds=1"))])
    process = ranks_of("hang")[1]
    os.kill(process, signal.SIGSTOP)
    expect(job.wait(60) == 86, f"hang: exit code {job.returncode}")
    expect(list((RUNS / "hang").glob("hang-rank-*.txt")), "no file on the hang")


def after_training():
    """Commands on the trained run, and a run that keeps its answers."""
    summary = json.loads((RUNS / "run" / "summary.json").read_text())
    leaks = summary["cells"][0]["scores"]["test"]["leak"]["per_label"]
    expect(leaks["PERSON"]["gold_characters"] > 0 and set(leaks) == {"PERSON", "PHONE_NUMBER"}, f"the leak of each label, found {leaks}")
    run("coverage", "coverage", "--recipe", OUT / "recipe.yaml", "--json")
    expect(summary["coverage"] == json.loads((STREAMS / "coverage.out").read_text()), "the recipe's coverage in the summary")
    run("evaluate", "evaluate", RUNS / "run", "--data", DATA / "texts.jsonl", "--output", OUT / "scores.json", ranks=2)
    run("predict", "predict", RUNS / "run", "--input", DATA / "texts.jsonl", ranks=2, stdout=ASKED / "predict.jsonl")
    run("predict-text", "predict", RUNS / "run", "--input", DATA / "plain.txt", "--output", ASKED / "plain.jsonl")
    run("report", "report", RUNS / "run", "--output", OUT / "report")
    expect("write_predictions" in run("report-no-examples", "report", RUNS / "run", "--examples", 3, "--output", OUT / "none", code=2),
           "what to set for examples")
    run("export", "export", RUNS / "run", "--to", "peft", "--output", OUT / "peft")
    run("checkpoints", "checkpoints", "ls", RUNS / "run")
    kept = RUNS / "kept"
    run("kept", *recipe("kept", "training.method=none", "generation.write_predictions=true"))
    run("report-examples", "report", kept, "--examples", 3, "--output", OUT / "examples")
    shutil.move(OUT / "examples" / "report.html", ASKED / "examples.html")
    shutil.move(kept / "cells" / "tiny" / "predictions", ASKED / "predictions")
    expect({p.name: p.stat().st_mode & 0o777 for p in (ASKED / "predictions").iterdir()} == {"validation.jsonl": 0o600, "test.jsonl": 0o600},
           "predictions that their user alone can read")
    for path in [*(ASKED / "predictions").iterdir(), ASKED / "examples.html"]:
        expect(found_in(path.read_bytes()), f"{path.name} to hold the texts that were asked for")
    cut = kept / "cells" / "tiny" / "predictions"
    cut.symlink_to(DATA / "cut")
    (DATA / "cut").mkdir()
    whole = (ASKED / "predictions" / "test.jsonl").read_bytes()
    (DATA / "cut" / "test.jsonl").write_bytes(whole[:whole.index(b"Zzq") + 6])
    run("report-cut", "report", kept, "--examples", 3, "--output", OUT / "none", code=2)


def refused(name, *arguments):
    said = run(name, *arguments, code=2)
    expect("rror: " in said, f"{name}: expected an error, found '{said}'")


def deidentify():
    """What comes out of given spans holds no value of them, whatever the operator; what goes back in, and what a run lets stay, was asked for."""
    for name, person in (("removed", "replace"), ("hashed", "hash"), ("surrogates", "surrogate"), ("encrypted", "encrypt")):
        (OUT / f"{name}.yaml").write_text(f"key: {{env: ENTUNE_DEIDENTIFY_KEY}}\ndefault: redact\nlabels: {{PERSON: {person}}}\n")
        run(f"deidentify-{name}", "deidentify", "--policy", OUT / f"{name}.yaml", "--input", DATA / "texts.jsonl", "--output", OUT / f"{name}.jsonl",
            "--audit", OUT / f"{name}-audit.jsonl")
        expect(len((OUT / f"{name}.jsonl").read_text().splitlines()) == 30, f"{name}: a line for each document")
    run("reidentify", "reidentify", "--policy", OUT / "encrypted.yaml", "--input", OUT / "encrypted.jsonl", "--output", ASKED / "restored.jsonl")
    expect(found_in((ASKED / "restored.jsonl").read_bytes()), "encrypted values to come back")
    changed = (OUT / "encrypted.jsonl").read_text().replace('"id":"t1"', '"id":"t0"').replace('"id": "t1"', '"id": "t0"')
    (DATA / "changed.jsonl").write_text(changed)
    refused("reidentify-changed", "reidentify", "--policy", OUT / "encrypted.yaml", "--input", DATA / "changed.jsonl", "--output",
            ASKED / "until-changed.jsonl")
    run("deidentify-run", "deidentify", RUNS / "run", "--policy", OUT / "removed.yaml", "--input", DATA / "texts.jsonl", "--output",
        ASKED / "by-run.jsonl", "--audit", OUT / "by-run-audit.jsonl", ranks=2)


def bad_inputs():
    """Commands that are refused: every reader, and files and words in the wrong place."""
    first, second = sample(0), sample(1)
    whole = json.dumps(first)
    person = first["entities"][0]

    def entity(**changes):
        return json.dumps(dict(first, entities=[dict(person, **changes)]))

    presidio = json.dumps([as_presidio(first), as_presidio(second)])
    cases = {
        "cut.jsonl": whole[:whole.index(FIRST) + 5],
        "cut-in-the-middle.jsonl": whole[:whole.index(FIRST) + 5] + "\n" + whole,
        "escape.jsonl": whole.replace(FIRST, FIRST[:4] + "\\q" + FIRST[4:], 1),
        "offsets.jsonl": entity(start=person["start"] + 1),
        "outside.jsonl": entity(end=10000),
        "type.jsonl": entity(start=FIRST),
        "label.jsonl": entity(label=f"{FIRST} {LAST}"),
        "label-outside.jsonl": entity(label=f"{FIRST} {LAST}", end=10000),
        "twice.jsonl": '{"' + FIRST + '": 1, "' + FIRST + '": 2}',
        "list.jsonl": json.dumps([FIRST, LAST]),
        "utf8.jsonl": whole.encode().replace(b"Zzqxv", b"Zzqxv\xff\xfe", 1),
        "text.jsonl": f"{FIRST} {LAST}",
        "cut.json": presidio[:presidio.index(FIRST) + 5],
        "type.json": json.dumps([dict(as_presidio(first), spans=FIRST)]),
        "offsets.json": presidio.replace('"start_position": ', '"start_position": 1', 1),
        "object.json": json.dumps({FIRST: LAST}),
        "column.conll": f"{FIRST}\n{LAST}\n",
        "tag.conll": f"letters {FIRST}\nfor {LAST}\n",
        "label.conll": f"letters B-{FIRST}/{LAST}\n",
        "order.conll": f"{FIRST} O\n{LAST} I-PERSON\n",
        "utf8.conll": b"Zzqxvarn\xff\xfe B-PERSON\n",
        "suffix.csv": f"{FIRST},{LAST}\n",
    }
    jobs = []
    for name, content in cases.items():
        (DATA / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        jobs.append((f"bad-{name}", "validate", *recipe("bad", f"data.train={DATA / name}")))
    jobs.append(("bad-skipped", "validate", *recipe("bad", f"data.train={DATA / 'cut-in-the-middle.jsonl'}", "data.on_bad_sample=skip")))
    (DATA / "clinical-note").write_text(f"{FIRST} {LAST}: seen today\n")
    for number, file in enumerate(("clinical-note", "plain.txt", "tag.conll")):
        jobs.append((f"as-recipe-{number}", "show-config", "--recipe", DATA / file))
    jobs.append(("words", "predict", RUNS / "run", "--text", "letters", "for", FIRST, f"--{LAST} {FIRST}"))
    jobs.append(("option", "predict", RUNS / "run", "--text", "x", f"-{FIRST}"))
    for name in ("cut.jsonl", "label.jsonl", "label-outside.jsonl", "offsets.jsonl"):
        jobs.append((f"deidentify-{name}", "deidentify", "--policy", ROOT / "recipes" / "deidentify" / "safe_harbor.yaml", "--input", DATA / name,
                     "--output", OUT / f"none-{name}"))
    for number, file in enumerate(("clinical-note", "plain.txt")):
        jobs.append((f"as-policy-{number}", "deidentify", "--policy", DATA / file, "--input", DATA / "texts.jsonl", "--output", OUT / "none.jsonl"))
    for name in ("cut.jsonl", "utf8.jsonl", "list.jsonl"):
        jobs.append((f"predict-{name}", "predict", RUNS / "run", "--input", DATA / name))
    jobs.append(("evaluate-cut", "evaluate", RUNS / "run", "--data", DATA / "cut.jsonl"))
    return jobs


def main():
    check_the_search()
    write_data()
    expect(found_in((DATA / "texts.jsonl").read_bytes()), "the data to hold the marker")
    train_and_scrape()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:  # most of a crash and of a hang is waiting
        parts = [pool.submit(part) for part in (hang, lambda: crash(signal.SIGSEGV), after_training, deidentify, lambda: crash(signal.SIGABRT))]
        parts += [pool.submit(refused, *job) for job in bad_inputs()]
        for part in concurrent.futures.as_completed(parts):
            part.result()
    expect(not [path for path in files_below(OUT) if path.name.startswith("core")], "no core file")
    hits, num_files = search()
    expect(num_files > 150, f"more files to search than {num_files}")
    expect(not hits, "the marker nowhere but where it was asked for, found it in\n" + "\n".join(hits))
    print(f"the marker is in none of {num_files} files and streams")


try:
    main()
except Failed as failed:
    print(failed)
    sys.exit(1)
finally:
    if os.environ.get("SENTINEL_KEEP") is None:
        shutil.rmtree(OUT, ignore_errors=True)
    else:
        print(OUT)
