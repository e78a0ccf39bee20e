"""Make tiny tokenizers and what the reference library does with them.

python tests/recipes/weights/make_tokenizers.py, in an environment with `transformers`
"""

import importlib
import json
import tempfile
from pathlib import Path
from typing import Any

from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

TEXT = ["the cat sat on the mat. ", "Do n't the cats, café 🙂 say: 日本語!", " it's  a mat? "] * 4
TEMPLATE = """{%- if tools %}tools: {{ tools | tojson }}
{% endif %}
{%- for message in messages %}
  {%- if message.role not in ['system', 'user', 'assistant'] %}
    {{- raise_exception('Unknown role ' + message.role) }}
  {%- endif %}
  {%- if loop.index > 9 %}{% break %}{% endif %}
{{ bos_token if loop.first else '' }}<|{{ message['role'] }}|>
  {%- if message.reasoning_content is defined %}<{{ message.thinking }}>{% endif %}
  {%- generation %}
{{ message['content'] | trim }}{{ eos_token }}
  {%- endgeneration %}
{% endfor %}
{%- set last = namespace(role=messages[-1].role) %}
{%- if add_generation_prompt and last.role == 'user' %}<|assistant|>
{% endif %}"""
CHATS = [
    [{"role": "user", "content": " Hi <b>the cat</b> "}],
    [
        {"role": "system", "content": "say: 日本語", "name": None},
        {"role": "user", "content": "it's 🙂"},
        {"role": "assistant", "content": "the mat.", "reasoning": "a cat"},
    ],
]
TOOLS = [{"type": "function", "function": {"name": "sit", "description": "café <"}}]


def byte_pairs() -> tuple[Tokenizer, dict[str, Any]]:
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=290, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    inner.train_from_iterator(TEXT, trainer)
    inner.enable_truncation(4)
    options = {"bos_token": "<s>", "eos_token": "</s>", "clean_up_tokenization_spaces": True}
    return inner, {**options, "add_bos_token": True, "add_eos_token": False}


def word_pieces() -> tuple[Tokenizer, dict[str, Any]]:
    inner = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    inner.normalizer = normalizers.BertNormalizer()
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.decoder = decoders.WordPiece(cleanup=False)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=70, special_tokens=special, show_progress=False)
    inner.train_from_iterator(TEXT, trainer)
    inner.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    options = {f"{name}_token": token for name, token in names.items()}
    return inner, {**options, "clean_up_tokenization_spaces": True}


def unigram() -> tuple[Tokenizer, dict[str, Any]]:
    inner = Tokenizer(models.Unigram())
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=60, special_tokens=["<unk>", "</s>"], unk_token="<unk>", show_progress=False
    )
    inner.train_from_iterator(TEXT, trainer)
    inner.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return inner, {"eos_token": "</s>", "unk_token": "<unk>"}


def main() -> None:
    reference = importlib.import_module("transformers")
    texts = ["the cat's mat.", " café 🙂!", "Do n't , it 's", "日本</s>", "", "  a  "]
    for make in (byte_pairs, word_pieces, unigram):
        inner, options = make()
        fast = reference.PreTrainedTokenizerFast(tokenizer_object=inner, **options)
        fast.chat_template = TEMPLATE if make is byte_pairs else None
        with tempfile.TemporaryDirectory() as name:
            fast.save_pretrained(name)
            fast = reference.PreTrainedTokenizerFast.from_pretrained(name)
            files = {path.name: path.read_text() for path in sorted(Path(name).iterdir())}
        cases = [
            {
                "text": text,
                "ids": fast.encode(text),
                "bare": fast.encode(text, add_special_tokens=False),
                "decoded": fast.decode(fast.encode(text)),
                "skipped": fast.decode(fast.encode(text), skip_special_tokens=True),
            }
            for text in texts
        ]
        chats = [
            {"messages": chat, "tools": tools, "add_generation_prompt": ahead,
             "text": fast.apply_chat_template(
                 chat, tools=tools, add_generation_prompt=ahead, tokenize=False)}
            for chat in CHATS
            for tools in (None, TOOLS)
            for ahead in (False, True)
            if make is byte_pairs
        ]  # fmt: skip
        golden = {
            "files": files,
            "cases": cases,
            "chats": chats,
            "special": fast.special_tokens_map,
        }
        folder = Path(__file__).parent / "golden"
        folder.mkdir(exist_ok=True)
        path = folder / f"{make.__name__}.json"
        path.write_text(json.dumps(golden, ensure_ascii=False) + "\n")
        print(path.name, f"{path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
