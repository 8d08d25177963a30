#!/usr/bin/env python3
"""Ids of conversations by mistral-common (the fixture: 1.13.1; needs its extra `sentencepiece`), of tokenizer version v1 or v3.

    mistral_common_ids.py golden                     writes fixtures/mistral_common.json
    mistral_common_ids.py random VERSION COUNT SEED  the model file, then COUNT random conversations, one JSON object a line

Its model files are not copied. That of v1 is Mistral-7B-Instruct-v0.2's tokenizer.model; that of v2, v0.3's by its SHA-256 (37f00374dea4...), differs from
that of v3 in 24 pieces that none of these texts holds.
"""

import json
import pathlib
import random
import sys

import mistral_common
from encode_random_texts import random_text
from mistral_common.protocol.instruct.messages import AssistantMessage, UserMessage
from mistral_common.tokens.tokenizers.base import InstructRequest
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

FIXTURE = pathlib.Path(__file__).parent / "fixtures/mistral_common.json"

CONVERSATIONS = [
    ([["user", "What is the capital of France?"]], '{"entities": []}'),
    ([["system", "Tag the names."], ["user", "Anna met José Núñez in  Köln."]], "<PERSON>Anna</PERSON> met <PERSON>José Núñez</PERSON> in  Köln."),
    ([["user", "Tag this:\n\n\tCall 555-0199 😀"], ["assistant", "[Call | O]"], ["user", "李小龍住在香港。"], ["assistant", "ok\n"], ["user", " it's here "]], "B-PERSON\nO"),
    ([["system", "You tag.\nBe exact."], ["user", "a"], ["assistant", "b"], ["user", "[INST] c [/INST] </s>"]], "]{ </s> [/INST]"),
]


def ids(tokenizer, turns, answer):
    system = turns[0][1] if turns[0][0] == "system" else None
    messages = [UserMessage(content=text) if role == "user" else AssistantMessage(content=text) for role, text in turns if role != "system"]
    if answer is not None:
        messages.append(AssistantMessage(content=answer))
    return tokenizer.instruct_tokenizer.encode_instruct(InstructRequest(messages=messages, system_prompt=system)).tokens


def case(tokenizer, turns, answer):
    return {"turns": turns, "answer": answer, "ids": ids(tokenizer, turns, answer), "prompt_ids": ids(tokenizer, turns, None)}


def random_conversation(source):
    def text(strip):
        while True:
            # U+2581 is sentencepiece's own space; answers lose their spaces at the end in v3
            drawn = random_text(source).replace("\u2581", "")
            drawn = drawn.rstrip(" ") if strip else drawn
            if drawn:
                return drawn

    turns = [["system", text(False)]] if source.random() < 0.5 else []
    for _ in range(source.randrange(3)):
        turns += [["user", text(False)], ["assistant", text(True)]]
    return turns + [["user", text(False)]], text(True)


def main():
    if sys.argv[1] == "golden":
        golden = {"mistral_common": mistral_common.__version__}
        for version in ("v1", "v3"):
            tokenizer = getattr(MistralTokenizer, version)()
            golden[version] = [case(tokenizer, turns, answer) for turns, answer in CONVERSATIONS]
        FIXTURE.write_text(json.dumps(golden, separators=(",", ":")) + "\n", encoding="utf-8")
        return
    tokenizer = getattr(MistralTokenizer, sys.argv[2])()
    source = random.Random(int(sys.argv[4]))
    print(json.dumps({"model_file": str(tokenizer.instruct_tokenizer.tokenizer.file_path)}))
    for _ in range(int(sys.argv[3])):
        print(json.dumps(case(tokenizer, *random_conversation(source))))


if __name__ == "__main__":
    main()
