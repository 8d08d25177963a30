#!/usr/bin/env python3
"""encode_with_transformers.py COUNT SEED DIRECTORY...: of each model directory its special tokens with their ids, then random Unicode texts with theirs by
transformers (control tokens spelt in a text are text, as in Entune), one JSON object a line."""

import json
import pathlib
import random
import sys

from encode_random_texts import random_text
from transformers import AutoTokenizer


def main():
    for directory in map(pathlib.Path, sys.argv[3:]):
        tokenizer = AutoTokenizer.from_pretrained(directory)
        print(json.dumps({token.content: id for id, token in tokenizer.added_tokens_decoder.items() if token.special}))
        source = random.Random(int(sys.argv[2]))
        for _ in range(int(sys.argv[1])):
            text = random_text(source)
            print(json.dumps({"text": text, "ids": tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)}))


if __name__ == "__main__":
    main()
