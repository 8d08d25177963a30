#!/usr/bin/env python3
"""Makes the tokenizers and golden ids under fixtures/: run where `tokenizers`, `sentencepiece` and `transformers` (5.23) can be imported.

    python3 tests/data/tokens/make_tokenizer_fixtures.py

fixtures/{smollm,gpt2,llama3,qwen2}/tokenizer.json   tiny byte-level BPE, one of each pre-tokenizer
fixtures/{llama31,qwen3}/tokenizer.json              the same with the control tokens of the next model: <|eom_id|>; <think> as a plain token
fixtures/{llama,yi}/tokenizer.model                  tiny sentencepiece models: with a space put before the text, and without
fixtures/mistral_v3/tokenizer.model                  with [INST] and [/INST] as control tokens
fixtures/golden.json                                 ids of hostile texts and of conversations

The ids of a conversation come from its whole rendering by the family's published template (chat_templates.py) and transformers' own engine, encoded in
one call between two control tokens; the encoders under test encode segment by segment, so that they are held against something else than themselves.
Where an encoder differs from the template on purpose, the conversations are such that it makes no difference: no text has white space at its ends (some
templates trim, Entune does not), no earlier answer of Qwen3 holds </think> (its template takes the thinking out), no answer on sentencepiece is empty
(it has no rendering apart from the space before it). Two differences are taken out of the rendering: Llama-2's space behind the answer to be learned; and
that Mistral v0.3's template leaves the system turn out once the last turn is an answer (mistral-common keeps it in the last user turn, as in the prompt).
"""

import io
import json
import pathlib
import re

import chat_templates
import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

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


CHATML = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
LLAMA3 = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
BPE = {  # pre-tokenizer, special tokens, plain ones that are matched in text, merges
    "smollm": (pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level(True)]), CHATML, [], 400),
    "gpt2": (byte_level(True), ["<|endoftext|>"], [], 400),
    "llama3": (split("{1,3}"), LLAMA3, [], 400),
    "llama31": (split("{1,3}"), LLAMA3 + ["<|eom_id|>"], [], 100),
    "qwen2": (split(""), CHATML, ["<tool_call>", "</tool_call>"], 400),
    "qwen3": (split(""), CHATML, ["<tool_call>", "</tool_call>", "<think>", "</think>"], 100),
}


def make_bpe(name):
    pre_tokenizer, special, plain, merges = BPE[name]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=256 + merges, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in plain])
    content = json.loads(tokenizer.to_str())
    if name == "smollm":  # the real one lacks bytes too
        ids = content["model"]["vocab"]
        content["model"]["vocab"] = {piece: i for piece, i in ids.items() if piece != "\u0104"}
    if name == "gpt2":  # the older spelling
        content["model"]["merges"] = [" ".join(merge) for merge in content["model"]["merges"]]
    if name in ("llama3", "llama31"):
        content["model"]["ignore_merges"] = True
        content["model"]["vocab"] = {**content["model"]["vocab"], "ĠMixedCase": len(content["model"]["vocab"])}  # no merge makes it
    golden = Tokenizer.from_str(json.dumps(content))  # before the normalizer, which Entune leaves out
    if name in ("qwen2", "qwen3"):
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


def ids_without_space(tokenizer, text):
    """Of a sentencepiece model that puts a space before the text, without that space."""
    head = tokenizer.encode("\u263a")  # in no vocabulary here: its bytes merge with nothing
    ids = tokenizer.encode("\u263a" + text)
    assert ids[:len(head)] == head
    return ids[len(head):]


def ids_between_controls(tokenizer, rendered, controls, space):
    """`space`: "each" where the tokenizer puts a space before every text between control tokens (transformers: legacy), "start" where it does before one
    at the rendering's start alone (not legacy: the template writes the others), None where it never does."""
    ids = []
    at = 0
    for part in re.split("(" + "|".join(map(re.escape, controls)) + ")", rendered):
        if part in controls:
            ids.append(controls[part])
        elif part and space == "start" and at > 0:
            ids += ids_without_space(tokenizer, part)
        elif part:
            ids += plain_ids(tokenizer, part)
        at += len(part)
    return ids


def render(template, controls, turns, answer, end):
    """The conversation by transformers' engine, up to the answer's end token or, without an answer, to where the model goes on."""
    engine = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), bos_token=next(iter(controls)), eos_token=end)
    messages = [{"role": role, "content": text} for role, text in turns]
    options = {"chat_template": template, "tokenize": False, "enable_thinking": False}
    prompt = engine.apply_chat_template(messages, add_generation_prompt=True, **options)
    if answer is None:
        return prompt
    whole = engine.apply_chat_template(messages + [{"role": "assistant", "content": answer}], **options)
    if template is chat_templates.MISTRAL_V3 and turns[0][0] == "system":
        whole = prompt + whole.removeprefix(engine.apply_chat_template(messages[1:], **options))
    assert whole.startswith(prompt) and whole.removesuffix("\n").endswith(end), whole
    return whole.removesuffix("\n")


def main():
    tokenizers = {name: make_bpe(name) for name in BPE}
    tokenizers["llama"] = make_sentencepiece("llama", vocab_size=700)
    tokenizers["yi"] = make_sentencepiece(
        "yi", vocab_size=700, add_dummy_prefix=False, bos_piece="<|startoftext|>", eos_piece="<|endoftext|>",
        user_defined_symbols=["<|im_start|>", "<|im_end|>", "<|im_sep|>"])
    tokenizers["mistral_v3"] = make_sentencepiece("mistral_v3", vocab_size=450, control_symbols=["[INST]", "[/INST]"])
    golden = {"texts": {}, "chats": [], "space_sign_texts": SPACE_SIGN_TEXTS}
    for name in ("smollm", "gpt2", "llama3", "qwen2", "llama", "yi"):
        texts = TEXTS if name != "yi" else [text for text in TEXTS if "<|" not in text]  # Yi's marks are user-defined pieces: found in text
        golden["texts"][name] = [{"text": text, "ids": plain_ids(tokenizers[name], text)} for text in texts]

    inst, chatml, llama3 = ["<s>", "</s>"], ["<|im_start|>", "<|im_end|>"], [mark for mark in LLAMA3 if mark != "<|end_of_text|>"]
    families = [  # family, tokenizer, template, control tokens that it uses (BOS first), end of an answer, spaces
        ("mistral", "llama", chat_templates.MISTRAL, inst, "</s>", "start"),
        ("mistral", "mistral_v3", chat_templates.MISTRAL_V3, inst + ["[INST]", "[/INST]"], "</s>", "start"),
        ("llama2", "llama", chat_templates.LLAMA2, inst, "</s>", "each"),
        ("vicuna", "llama", chat_templates.VICUNA, inst, "</s>", "start"),
        ("yi", "yi", chat_templates.YI, chatml, "<|im_end|>", None),
        ("smollm2", "smollm", chat_templates.SMOLLM2, chatml, "<|im_end|>", None),
        ("chatml", "qwen2", chat_templates.CHATML, chatml, "<|im_end|>", None),
        ("llama3", "llama3", chat_templates.LLAMA3, llama3, "<|eot_id|>", None),
        ("llama3", "llama31", chat_templates.LLAMA31, llama3, "<|eot_id|>", None),
        ("qwen", "qwen2", chat_templates.QWEN2, chatml, "<|im_end|>", None),
        ("qwen", "qwen3", chat_templates.QWEN3, chatml, "<|im_end|>", None),
    ]
    for family, name, template, marks, end, space in families:
        tokenizer = tokenizers[name]
        to_id = tokenizer.piece_to_id if isinstance(tokenizer, sentencepiece.SentencePieceProcessor) else tokenizer.token_to_id
        controls = {mark: to_id(mark) for mark in marks}

        def encode(turns, answer):
            rendered = render(template, controls, turns, answer, end)
            if family == "llama2" and answer is not None:
                rendered = rendered.removesuffix(" " + end) + end
            bos = [controls["<s>"]] if family == "vicuna" else []  # its template leaves BOS to the tokenizer
            return bos + ids_between_controls(tokenizer, rendered, controls, space)

        cases = []
        for conversation in CONVERSATIONS:
            turns, answer = conversation["turns"], conversation["answer"]
            if answer == "" and marks[:2] == inst:
                answer = "none"
            cases.append({"turns": turns, "answer": answer, "ids": encode(turns, answer), "prompt_ids": encode(turns, None)})
        golden["chats"].append({"family": family, "tokenizer": name, "cases": cases})
    (FIXTURES / "golden.json").write_text(json.dumps(golden, ensure_ascii=True, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
