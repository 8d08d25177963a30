#!/usr/bin/env python3
"""encode_random_texts.py TOKENIZER_JSON COUNT SEED: random Unicode texts with their ids by the `tokenizers` package, one JSON object a line."""

import json
import random
import sys

from tokenizers import Tokenizer

PIECES = [" ", "  ", "\n", "\r\n", "\t", "\u0085", "\u00a0", "\u180e", "\u2003", "'s", "'LL", "'\u017f", "don't", "I'VE", "0", "12", "345", "½", "٣",
          " the", "José", "e\u0301", "李", "😀", "👩‍👩‍👧", "<|im_start|>", "<|im_end|>", "<tool_call>", "</s>", "\u1c89", "\U00011de3", "\U0001ccf3"]


def random_character(source):
    while True:
        code_point = source.choice([source.randrange(0x80), source.randrange(0x250), source.randrange(0x3000), source.randrange(0x110000)])
        if not 0xD800 <= code_point < 0xE000:
            return chr(code_point)


def random_text(source):
    return "".join(source.choice(PIECES) if source.random() < 0.5 else random_character(source) for _ in range(source.randrange(40)))


def main():
    content = json.load(open(sys.argv[1], encoding="utf-8"))
    content["normalizer"] = None  # Entune encodes text as it stands
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.encode_special_tokens = True
    source = random.Random(int(sys.argv[3]))
    for _ in range(int(sys.argv[2])):
        text = random_text(source)
        print(json.dumps({"text": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids}))


if __name__ == "__main__":
    main()
