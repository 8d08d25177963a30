#!/usr/bin/env python3
"""Makes the tokenizers and golden ids under fixtures/: run where `tokenizers` and `sentencepiece` can be imported.

    python3 tests/data/tokens/make_tokenizer_fixtures.py

fixtures/{smollm,gpt2,llama3,qwen2}/tokenizer.json   tiny byte-level BPE, one of each pre-tokenizer
fixtures/{llama,yi}/tokenizer.model                  tiny sentencepiece models: with a space put before the text, and without
fixtures/golden.json                                 ids of hostile texts and of conversations

The ids of a conversation come from its whole rendering, encoded in one call between two control tokens; the encoders under test encode segment by
segment, so that they are held against something else than themselves.
"""

import io
import json
import pathlib
import re

import sentencepiece
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import AddedToken

FIXTURES = pathlib.Path(__file__).parent / "fixtures"

NAMES = ["Mary Baker", "José Núñez", "Jürgen Groß", "李小龍", "Анна Петрова", "O'Neill", "Zoë", "Nguyễn Văn An"]
CORPUS = [
    f"{who} {verb} on {day} {month} {year} and doesn't {thing}; call 555-{year} or mail {tag}@example.com."
    for i, who in enumerate(NAMES)
    for verb, thing in (("arrived", "know why"), ("wrote", "agree"), ("didn't answer", "we'll see"))
    for day, month, year, tag in ((3 + i, "March", 1987 + i, "mary"), (21, "May", 2004, "x_y"))
] + [
    'What is the capital of France? The capital is Paris. [{"entities": [], "start": 12}] <PERSON>Anna</PERSON>\n\n',
    "A user asks a question, and the assistant answers it: USER: hello ASSISTANT: hello to you. It's I'm we've they'd you're he'll\n",
    "[INST] List the names. [/INST] <<SYS>>\nBe brief.\n<</SYS>>\n system user assistant\n",
    "for (int i = 0; i < 10; ++i) {\n    total += 2 * i;\n}\t\t// done   \r\n\r\n",
] * 3

TEXTS = [
    "", " ", "  ", "\n", "\n\n", " \n \n", "\t\t x", "a", " a", "  a", "a ", "a  b   c", "Hello John, call 555-1234",
    "it's IT'S It'S 'tis don't I'M we'LL they'VE 'Re 'D", "'\u017f and '\u212a", "1 12 123 1234 12345 1234567890", "1a2b 3.14 -5,000.00 ½ ² ٣٤ Ⅷ",
    "José Núñez", "Jose\u0301 Nu\u0301n\u0303ez", "Ａｌｉｃｅ ｆｕｌｌ", "ﬁne ﬂow ß ẞ İ ı", "李小龍住在香港。", "Анна Петрова, г. Москва", "مرحبا بالعالم ١٢٣", "שלום עולם", "नमस्ते दुनिया",
    "ไทยไม่มีช่องว่าง", "한국어 텍스트", "😀 👩‍👩‍👧 🇩🇪 👍🏽 ✋🏿", "z\u0301\u0300\u0302\u0303algo", "no\u00a0break\u202fspace\u3000wide\u2003em\u180evowel", "zero\u200bwidth\u200d\ufeffmarks",
    "line\r\nline\rline\u2028line\u2029line\u0085line", "nul\u0000byte\u0004\u001c\u007f", "\ufffd\ufffe\U0010ffff\U000e0001", "\u1c89\ua7cb\U000105c0\U00011f04 \U00031350",
    "\U00016130\U00016131 \U0001ccf3\U00011de3\U00016ff4", "{\"entity_type\": \"PERSON\", \"start_position\": 12}", "<PERSON>Anna</PERSON> and <EMAIL>x@y.z</EMAIL>", "[Anna | PERSON]",
    "</s> <s> <unk> [INST] [/INST] <<SYS>>", "<|im_start|>system\nobey<|im_end|>", "<|endoftext|>", "<|begin_of_text|><|eot_id|>", "<tool_call>x</tool_call> <tool_call", "<0x0A><0xE2>",
    "    indented\n        twice\n\n\n  back", "trailing spaces   ", "!!!???...,,,---___", "https://example.com/a?b=c&d=%20#e", "ALLCAPS MixedCase camelCase snake_case", "a" * 300,
    "-" * 100 + "\n" * 40 + " " * 77, "Dr. Mary Baker's number is 555-0199; she doesn't know.",
]
SPACE_SIGN_TEXTS = ["▁", "a▁b", "▁ ▁▁ x ▁", " ▁", "<|im_end|>▁<|im_start|>user\n"]

SMOLLM2_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
VICUNA_SYSTEM = ("A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite "
                 "answers to the user's questions.")
CONVERSATIONS = [
    {"turns": [["user", "What is the capital of France?"]], "answer": '{"entities": []}'},
    {"turns": [["system", "Be brief."], ["user", "List the names: Anna, José."]], "answer": "<PERSON>Anna</PERSON>, José."},
    {"turns": [["user", "hello"], ["assistant", "hello to you"], ["user", "Mary Baker\nwrote on 3 March"], ["assistant", "[1, 2]"], ["user", "it's 李小龍"]],
     "answer": "B-PERSON\nO"},
    {"turns": [["system", "Answer."], ["user", "a"], ["assistant", "b"], ["user", "c"]], "answer": ""},
]

MODERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def byte_level(use_regex):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


def split(digits):
    pattern = Regex(MODERN.replace("DIGITS", digits))
    return pre_tokenizers.Sequence([pre_tokenizers.Split(pattern, "isolated"), byte_level(False)])


BPE = {
    "smollm": (pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level(True)]),
               ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], []),
    "gpt2": (byte_level(True), ["<|endoftext|>"], []),
    "llama3": (split("{1,3}"), ["<|begin_of_text|>", "<|eot_id|>"], []),
    "qwen2": (split(""), ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], ["<tool_call>", "</tool_call>"]),
}


def make_bpe(name):
    pre_tokenizer, special, plain = BPE[name]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=256 + 400, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in plain])
    content = json.loads(tokenizer.to_str())
    if name == "smollm":  # the real one lacks bytes too
        ids = content["model"]["vocab"]
        content["model"]["vocab"] = {piece: i for piece, i in ids.items() if piece != "\u0104"}
    if name == "gpt2":  # the older spelling
        content["model"]["merges"] = [" ".join(merge) for merge in content["model"]["merges"]]
    if name == "llama3":
        content["model"]["ignore_merges"] = True
        content["model"]["vocab"] = {**content["model"]["vocab"], "ĠMixedCase": len(content["model"]["vocab"])}  # no merge makes it
    golden = Tokenizer.from_str(json.dumps(content))  # before the normalizer, which Entune leaves out
    if name == "qwen2":
        content["normalizer"] = {"type": "NFC"}
    folder = FIXTURES / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    return golden


def make_sentencepiece(name, **options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for text in CORPUS for line in text.splitlines()), model_writer=model, model_type="bpe", byte_fallback=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False, split_digits=True, allow_whitespace_only_pieces=True, pad_id=-1, minloglevel=2, **options)
    folder = FIXTURES / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def plain_ids(tokenizer, text):
    if isinstance(tokenizer, sentencepiece.SentencePieceProcessor):
        return tokenizer.encode(text)
    tokenizer.encode_special_tokens = True
    return tokenizer.encode(text, add_special_tokens=False).ids


def ids_between_controls(tokenizer, rendered, controls):
    ids = []
    for part in re.split("(" + "|".join(map(re.escape, controls)) + ")", rendered):
        ids += [controls[part]] if part in controls else plain_ids(tokenizer, part) if part else []
    return ids


def render_inst(turns, answer, bos_each_turn, system_form, after_answer):
    text = "<s>"
    system = None
    first = True
    for role, content in turns + ([["answer", answer]] if answer is not None else []):
        if role == "system":
            system = content
        elif role == "user":
            head = system_form(system) if first and system else ""
            text += ("" if first or not bos_each_turn else "<s>") + f"[INST] {head}{content} [/INST]"
            first = False
        else:
            # Llama-2's space stands behind earlier answers alone: the supervised one decodes to the very text.
            text += f" {content}" + (after_answer if role == "assistant" else "") + "</s>"
    return text


def render_vicuna(turns, answer):
    system = turns[0][1] if turns[0][0] == "system" else VICUNA_SYSTEM
    text = f"<s>{system} "
    for role, content in turns + ([["answer", answer]] if answer is not None else []):
        text += {"system": "", "user": f"USER: {content} ASSISTANT:", "assistant": f" {content}</s>", "answer": f" {content}</s>"}[role]
    return text


def render_chatml(turns, answer, default_system=None):
    if default_system and turns[0][0] != "system":
        turns = [["system", default_system]] + turns
    text = "".join(f"<|im_start|>{role}\n{content}<|im_end|>\n" for role, content in turns) + "<|im_start|>assistant\n"
    return text if answer is None else text + answer + "<|im_end|>"


def main():
    tokenizers = {name: make_bpe(name) for name in BPE}
    tokenizers["llama"] = make_sentencepiece("llama", vocab_size=700)
    tokenizers["yi"] = make_sentencepiece(
        "yi", vocab_size=700, add_dummy_prefix=False, bos_piece="<|startoftext|>", eos_piece="<|endoftext|>",
        user_defined_symbols=["<|im_start|>", "<|im_end|>", "<|im_sep|>"])
    golden = {"texts": {}, "chats": {}, "space_sign_texts": SPACE_SIGN_TEXTS}
    for name, tokenizer in tokenizers.items():
        texts = TEXTS if name != "yi" else [text for text in TEXTS if "<|" not in text]  # Yi's marks are user-defined pieces: found in text
        golden["texts"][name] = [{"text": text, "ids": plain_ids(tokenizer, text)} for text in texts]

    s_controls = {"<s>": 1, "</s>": 2}
    families = {
        "mistral": ("llama", s_controls, lambda t, a: render_inst(t, a, False, "{}\n\n".format, "")),
        "llama2": ("llama", s_controls, lambda t, a: render_inst(t, a, True, "<<SYS>>\n{}\n<</SYS>>\n\n".format, " ")),
        "vicuna": ("llama", s_controls, render_vicuna),
        "yi": ("yi", {s: tokenizers["yi"].piece_to_id(s) for s in ("<|im_start|>", "<|im_end|>")}, render_chatml),
        "smollm2": ("smollm", {"<|im_start|>": 1, "<|im_end|>": 2}, lambda t, a: render_chatml(t, a, SMOLLM2_SYSTEM)),
        "chatml": ("qwen2", {"<|im_start|>": 1, "<|im_end|>": 2}, render_chatml),
    }
    for family, (name, controls, render) in families.items():
        cases = []
        for conversation in CONVERSATIONS:
            turns, answer = conversation["turns"], conversation["answer"]
            if answer == "" and family in ("mistral", "llama2", "vicuna"):
                answer = "none"  # an empty answer has no rendering apart from the space before it
            cases.append({"turns": turns, "answer": answer, "ids": ids_between_controls(tokenizers[name], render(turns, answer), controls),
                          "prompt_ids": ids_between_controls(tokenizers[name], render(turns, None), controls)})
        golden["chats"][family] = {"tokenizer": name, "cases": cases}
    (FIXTURES / "golden.json").write_text(json.dumps(golden, ensure_ascii=True, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
