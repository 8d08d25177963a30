#!/usr/bin/env python3
"""predict, evaluate and deidentify on documents that are much longer than a window. documents.py ROOT BUILD [COUNT LENGTH]

A tiny model learns to answer texts with their first "Ida", well enough that most documents have several. COUNT documents of
LENGTH characters: 1 and 2 ranks write the same, one that is killed and resumed too, and a bad line leaves what stands before it. With a
hundred documents or more the memory of rank 0 must be flat: its peak is after all of them what it was after ten."""

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT, BUILD = (pathlib.Path(a) for a in sys.argv[1:3])
COUNT, LENGTH = (int(a) for a in sys.argv[3:5]) if len(sys.argv) > 3 else (10, 2000)
TRAINER = BUILD / "bin" / "trainer"
OUT = pathlib.Path(tempfile.mkdtemp(prefix="documents-"))
MPIRUN = ["mpirun", "--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1", "-np"]
HUNDRED = COUNT >= 100
WINDOWS = ["--window-tokens", "300", "--overlap", "40"]
if not HUNDRED:
    WINDOWS += ["--set", "generation.batch_tokens=1024"]  # several rounds


class Failed(Exception):
    pass


def expect(true, message):
    if not true:
        raise Failed(message)


def write_lines(path, objects):
    path.write_text("".join(json.dumps(o, ensure_ascii=False) + "\n" for o in objects), encoding="utf-8")
    return path


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def some_text(length):
    text = ""
    while len(text) < length:
        word = random.choice(["Ida", "Zoë", "\U0001F600", "Nächstes"]) if random.random() < 0.1 else "x" * random.randint(1, 9)
        text += word + random.choice([" ", " ", " ", " ", ", ", ". ", ".\n"])
    return text[:length]


def learn():
    """A run whose model answers with the first "Ida", whatever the text."""
    subprocess.run([BUILD / "bin" / "write_tiny_model", OUT / "model"], check=True)
    texts = [some_text(random.randint(10, 240)) + " Ida" for _ in range(168)]
    write_lines(OUT / "train.jsonl", [
        {"id": f"t{n}", "text": text, "template_id": n,
         "entities": [{"label": "PERSON", "start": text.index("Ida"), "end": text.index("Ida") + 3}]} for n, text in enumerate(texts)])
    (OUT / "recipe.yaml").write_text(f"""
name: ida
output: {OUT}/run
model: {{path: {OUT}/model, chat: chatml, dtype: float32}}
data: {{train: {OUT}/train.jsonl, split: {{by: template_id, train: 160, validation: 4, test: 4}}}}
labels: {{PERSON: name of a person}}
task: {{prompt: minimal, format: json_values}}
training: {{method: full, epochs: 6, global_batch: 8, evaluate_every: none, optimizer: {{lr: 1.0e-2}}}}
generation: {{max_new_tokens: 64}}
export: hf
evaluation: {{baseline: none, bootstrap: 0}}
""", encoding="utf-8")
    subprocess.run([TRAINER, "--recipe", OUT / "recipe.yaml"], check=True, stdout=subprocess.DEVNULL)
    return OUT / "run"


def predict(run, source, output, *arguments, ranks=1, **options):
    launcher = [*MPIRUN, str(ranks)] if ranks > 1 else []
    command = [*launcher, str(TRAINER), "predict", str(run), "--input", str(source), "--output", str(output), *WINDOWS, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def finish(job, code=0):
    out, err = job.communicate(timeout=900)
    expect(job.returncode == code, f"expected exit code {code}, found {job.returncode}: {err}")
    return out, err


def rank_zero(mpirun):
    """The process of rank 0 below this mpirun, or nothing yet."""
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if parent == mpirun.pid and b"OMPI_COMM_WORLD_RANK=0" in (entry / "environ").read_bytes().split(b"\0"):
                return int(entry.name)
        except (OSError, ValueError):
            pass
    return None


def memory(process):
    """Resident MiB now and at the peak."""
    status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{process}/status").read_text().splitlines())
    return [int(status[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM")]


def follow(job, output, action):
    """Calls action(process of rank 0, lines that are there) while the job runs, until it says True."""
    process = None
    while job.poll() is None:
        process = process or rank_zero(job)
        done = output.read_bytes().count(b"\n") if output.exists() else 0
        try:
            if process and action(process, done):
                return True
        except (OSError, KeyError):  # just ended
            pass
        time.sleep(0.02)
    return False


def check_answers(documents, answers):
    expect([d["id"] for d in documents] == [a["id"] for a in answers], "expected the documents in their order")
    expect(sum(len(a["entities"]) for a in answers) > COUNT, "expected entities")
    for document, answer in zip(documents, answers):
        expect(answer["windows"] > 3, f"{document['id']}: expected windows")
        end = 0
        for entity in answer["entities"]:
            expect(document["text"][entity["start"]:entity["end"]] == entity["value"] == "Ida", f"{document['id']}: wrong offsets")
            expect(entity["start"] >= end, f"{document['id']}: spans overlap")
            end = entity["end"]


def check_memory(run, source):
    output, peaks = OUT / "two.jsonl", {}

    def note(process, done):
        peaks[done] = memory(process)

    job = predict(run, source, output, ranks=2)
    follow(job, output, note)
    finish(job)
    if HUNDRED:
        first, last = (max(now for done, (now, _) in peaks.items() if low <= done <= low + 10) for low in (1, COUNT - 10))
        early, late = (max(peak for done, (_, peak) in peaks.items() if done <= some) for some in (10, COUNT))
        print(f"rank 0: {first:.1f} MiB at most in the first ten documents, {last:.1f} in the last ten; peak {early:.1f} MiB after ten, "
              f"{late:.1f} after {COUNT}", flush=True)
        expect(late <= early * 1.05, "expected the peak of memory to be flat")
    return output


def check_resume(run, documents, source, whole):
    output = OUT / "resumed.jsonl"
    job = predict(run, source, output, ranks=2)

    def kill(process, done):
        if done < COUNT // 3:
            return False
        os.kill(process, signal.SIGKILL)
        return True

    expect(follow(job, output, kill), "expected to be there when a third was done")
    job.communicate(timeout=60)
    kept = output.read_bytes()
    expect(whole.read_bytes().startswith(kept) and len(kept) < whole.stat().st_size, "expected whole lines from the start on")
    print(f"killed after {kept.count(10)} of {COUNT} documents")
    output.write_bytes(kept + whole.read_bytes()[len(kept):][:20])  # a torn line
    _, err = finish(predict(run, source, output), 2)
    expect("--resume" in err and "--overwrite" in err, f"expected the ways on: {err}")
    swapped = write_lines(OUT / "swapped.jsonl", [documents[1], documents[0], *documents[2:]])
    _, err = finish(predict(run, swapped, output, "--resume", ranks=2), 2)
    expect(f"{output}:1: expected document d1, found d0" in err, f"expected the line: {err}")
    for ranks in (2, 1):  # the second time nothing is left to do
        finish(predict(run, source, output, "--resume", ranks=ranks))
        expect(output.read_bytes() == whole.read_bytes(), "expected the resumed output to equal the uncut one")
    fewer = write_lines(OUT / "fewer.jsonl", documents[:3])
    _, err = finish(predict(run, fewer, output, "--resume"), 2)
    expect(f"{output}:4: " in err, f"expected the line that is too many: {err}")


def check_bad_line(run, documents, source):
    good = (COUNT * 57) // 100
    text = source.read_text(encoding="utf-8").splitlines(keepends=True)
    text[good] = '{"id": "bad", "text": "secret\n'
    bad, output = OUT / "bad.jsonl", OUT / "from-bad.jsonl"
    bad.write_text("".join(text), encoding="utf-8")
    _, err = finish(predict(run, bad, output, ranks=2), 2)
    expect(f"bad.jsonl:{good + 1}: expected a JSON object" in err and "secret" not in err, f"expected the place: {err}")
    expect([a["id"] for a in lines(output)] == [d["id"] for d in documents[:good]], "expected all documents before the bad line")


def check_streams(run, documents, answers):
    out, _ = finish(predict(run, "-", "-", ranks=2, stdin=open(source_of(documents[:2]), encoding="utf-8")))
    expect([json.loads(line) for line in out.splitlines()] == answers[:2], "expected the same through pipes")
    plain = OUT / "plain.txt"
    plain.write_text("Ida one\r\n\nfor Ida", encoding="utf-8")
    out, _ = finish(predict(run, plain, "-"))
    expect([(a["id"], a["windows"]) for a in map(json.loads, out.splitlines())] == [("1", 1), ("3", 1)], "expected two lines of text")


def source_of(documents):
    return write_lines(OUT / "few.jsonl", documents)


def check_evaluation(run, documents, answers):
    """Gold is what was found: all of it must count as right, at the document's offsets."""
    gold = write_lines(OUT / "gold.jsonl", [{**d, "entities": a["entities"]} for d, a in zip(documents, answers)])
    scores = OUT / "scores.json"
    subprocess.run([*MPIRUN, "2", TRAINER, "evaluate", run, "--data", gold, *WINDOWS, "--output", scores], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    result = json.loads(scores.read_text())
    strict = result["scores"]["test"]["repaired"]["strict"]
    expect((strict["tp"], strict["fn"]) == (sum(len(a["entities"]) for a in answers), 0), f"expected all to be found: {strict}")
    expect(result["generate"]["windows"] == sum(a["windows"] for a in answers), "expected the windows of predict")


def check_deidentification(run, documents, source, answers):
    """What predict finds is what goes: no character of it is left in its place, on two ranks, resumed too."""
    (OUT / "policy.yaml").write_text("snap: none\ndefault: replace\n", encoding="utf-8")

    def deidentify(output, audit, *arguments, ranks=1):
        launcher = [*MPIRUN, str(ranks)] if ranks > 1 else []
        return finish(subprocess.Popen([*launcher, str(TRAINER), "deidentify", str(run), "--policy", str(OUT / "policy.yaml"), "--input", str(source),
                                        "--output", str(output), "--audit", str(audit), *WINDOWS, *arguments],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))

    output, audit = OUT / "clean.jsonl", OUT / "audit.jsonl"
    deidentify(output, audit, ranks=2)
    for document, answer, clean, spans in zip(documents, answers, lines(output), lines(audit), strict=True):
        expect(document["id"] == clean["id"] == spans["id"], "expected the documents in their order")
        covered = {at for span in spans["spans"] for at in range(span["start"], span["end"])}
        expect(answer["entities"] and all(at in covered for e in answer["entities"] for at in range(e["start"], e["end"])),
               f"{document['id']}: expected all that predict finds to be removed")
        rebuilt, end = "", 0
        for span in spans["spans"]:
            rebuilt += document["text"][end:span["start"]] + "<PERSON>"
            end = span["end"]
        expect(clean["text"] == rebuilt + document["text"][end:], f"{document['id']}: expected the rest as it was")
    whole, whole_audit = output.read_bytes(), audit.read_bytes()
    output.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]) + b"{")
    audit.write_bytes(whole_audit.splitlines(keepends=True)[0])
    deidentify(output, audit, "--resume", ranks=2)
    expect(output.read_bytes() == whole and audit.read_bytes() == whole_audit, "expected the resumed output to equal the uncut one")


def main():
    random.seed(7)
    run = learn()
    documents = [{"id": f"d{n}", "text": some_text(LENGTH)} for n in range(COUNT)]
    source = write_lines(OUT / "documents.jsonl", documents)
    one = OUT / "one.jsonl"
    finish(predict(run, source, one))
    answers = lines(one)
    check_answers(documents, answers)
    two = check_memory(run, source)
    expect(one.read_bytes() == two.read_bytes(), "expected 2 ranks to write what one does")
    check_resume(run, documents, source, one)
    check_bad_line(run, documents, source)
    if not HUNDRED:
        check_streams(run, documents, answers)
        check_evaluation(run, documents, answers)
        check_deidentification(run, documents, source, answers)


try:
    main()
except Failed as failure:
    sys.exit(f"documents: {failure}")
finally:
    shutil.rmtree(OUT)
