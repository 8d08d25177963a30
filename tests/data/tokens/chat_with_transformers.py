#!/usr/bin/env python3
"""chat_with_transformers.py COUNT SEED DIRECTORY...: what transformers' AutoTokenizer makes of the tokenizer files in each directory, one JSON object a line.

First {"normalizes": whether its tokenizer changes texts before it encodes them, "eos": spelling of the end token, "special": ids of all special tokens},
then COUNT texts each of

    {"text", "ids"}                     plain text
    {"text", "ids", "spelt": true}      the same with control tokens spelt in it, which split_special_tokens leaves text
    {"turns", "answer", "prompt_ids", "ids"}   a conversation up to the answer by apply_chat_template(tokenize=True), and with it

Conversations are with and without a system turn, of one to three user turns, fixed hostile ones first; their texts and the answers' ends have white space.
Left out is what Entune and transformers are known to encode otherwise: spellings of control tokens (but in the second kind), U+2581 with sentencepiece,
text in another form than NFC where the tokenizer normalizes, and, where a chat template writes a line break before the answer, white space at its start.
"""

import json
import pathlib
import random
import sys

from encode_random_texts import random_text
from transformers import AutoTokenizer

SYSTEM = ["", "Tag the names.", " Répondez en français.\n\n", "\tYou tag.\nBe 'exact' \\n {{ x }} {% y %}"]
TEXTS = [
    "", " ", "\n", "  a", "a  ", "\n\nAnna  met\tJosé Núñez in  Köln.\n", "Jose\u0301 Nu\u0301n\u0303ez", "😀 👩‍👩‍👧 🇩🇪\n李小龍住在香港。", "{\"entities\": []}", "<PERSON>Anna</PERSON>",
    "it's here ", "\r\n1234567890\u00a0½ ٣", "USER: x ASSISTANT: y", "<<SYS>>\ns\n<</SYS>>\n\n", "a" * 70 + " " * 9 + "b", "<tool_call>x</tool_call>", "مرحبا 12/05/1987 \\ ' \"",
]
ANSWERS = ["{\"entities\": [{\"start\": 3}]}", "<PERSON>Anna</PERSON> met  José ", "B-PERSON O O\nO\n", "[Anna | PERSON] 😀", "]{ x", "李小龍", "e\u0301"]


class Cleaner:
    def __init__(self, tokenizer, directory):
        self.special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
        self.is_sentencepiece = (directory / "tokenizer.model").exists()
        # Of Qwen2 alone: its class puts the form NFC before what tokenizer.json says. Sentencepiece's normalizer is the one that puts spaces.
        self.normalizer = None if self.is_sentencepiece else tokenizer.backend_tokenizer.normalizer

    def spelt(self, text):
        if self.is_sentencepiece:
            text = text.replace("\u2581", "").replace("<|", "")
        return self.normalizer.normalize_str(text) if self.normalizer else text

    def __call__(self, text):
        before = None
        while text != before:
            before = text
            for spelling in self.special:
                text = text.replace(spelling, "")
        return self.spelt(text)


def conversation(source, text, answer):
    turns = [["system", source.choice(SYSTEM) or text()]] if source.random() < 0.5 else []
    for _ in range(source.randrange(3)):
        turns += [["user", text()], ["assistant", text()]]
    return turns + [["user", text()]], answer()


def main():
    for directory in map(pathlib.Path, sys.argv[3:]):
        tokenizer = AutoTokenizer.from_pretrained(directory)
        clean = Cleaner(tokenizer, directory)
        source = random.Random(int(sys.argv[2]))
        breaks_before_answer = "<|" in tokenizer.chat_template
        special = [id for id, token in tokenizer.added_tokens_decoder.items() if token.special and token.content != "<unk>"]
        print(json.dumps({"normalizes": clean.normalizer is not None, "eos": tokenizer.eos_token, "special": sorted(special)}))

        def any_text():
            return source.choice(TEXTS) if source.random() < 0.3 else random_text(source)

        def any_answer():
            drawn = clean(source.choice(ANSWERS) if source.random() < 0.3 else random_text(source))
            return drawn.lstrip() if breaks_before_answer else drawn

        def plain_ids(text, **options):
            return tokenizer.encode(text, add_special_tokens=False, **options)

        for i in range(int(sys.argv[1])):
            drawn = TEXTS[i] if i < len(TEXTS) else any_text()
            text = clean(drawn)
            print(json.dumps({"text": text, "ids": plain_ids(text)}))
            text = clean.spelt(drawn)
            print(json.dumps({"text": text, "ids": plain_ids(text, split_special_tokens=True), "spelt": True}))
            turns, answer = conversation(source, lambda: clean(any_text()), any_answer)
            messages = [{"role": role, "content": content} for role, content in turns]
            prompt_ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False)
            assert prompt_ids == plain_ids(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))
            messages.append({"role": "assistant", "content": answer})
            whole = tokenizer.apply_chat_template(messages, tokenize=False)
            if whole.endswith(tokenizer.eos_token + "\n"):  # of ChatML: before the next turn, no part of the answer
                whole = whole.removesuffix("\n")
            print(json.dumps({"turns": turns, "answer": answer, "prompt_ids": prompt_ids, "ids": plain_ids(whole)}))


if __name__ == "__main__":
    main()
