"""Tokenizers of published models: a folder's `tokenizer.json`, special tokens, chat template."""

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from recipes.data.files import write_atomically
from recipes.data.ids import TokenIds, check_ids
from recipes.errors import RecipeError, nearest_of
from recipes.weights.chat import Messages, render
from recipes.weights.folder import read_json

TOKENIZER = "tokenizer.json"
SETTINGS = "tokenizer_config.json"
TEMPLATE = "chat_template.jinja"
# Those of the largest vocabularies have 35 MB.
_MAX_BYTES = 200_000_000
_NAMED = tuple(f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask"))
# English as WordPiece splits it, put together again.
_JOINED = {
    " .": ".", " ?": "?", " !": "!", " ,": ",", " ' ": "'", " n't": "n't", " 'm": "'m",
    " 's": "'s", " 've": "'ve", " 're": "'re",
}  # fmt: skip


@dataclass(frozen=True)
class PublishedTokenizer:
    """Tokenizer that came with a published model, through the package `tokenizers`.

    Attributes:
        content: Text of `tokenizer.json`.
        settings: Text of `tokenizer_config.json`; empty if there is none.
        template: Text of `chat_template.jinja`; empty if there is none.

    Raises:
        RecipeError: A damaged file, or `tokenizers` is not installed.
    """

    name: ClassVar[str] = "published"
    content: str = field(repr=False)
    settings: str = field(default="", repr=False)
    template: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        _ = self._inner, self._settings

    @property
    def vocab_size(self) -> int:
        """Number of token ids; the model may have more rows than that."""
        return 1 + max(self._inner.get_vocab(with_added_tokens=True).values(), default=-1)

    @functools.cached_property
    def special(self) -> dict[str, str]:
        """Special tokens by name, such as `eos_token`."""
        found = {name: self._settings.get(name) for name in _NAMED}
        texts = {
            name: value["content"] if isinstance(value, dict) else value
            for name, value in found.items()
            if value is not None
        }
        wrong = [name for name, text in texts.items() if not isinstance(text, str)]
        if wrong:
            raise _damaged(SETTINGS, f"{wrong[0]} is not text")
        return texts

    @functools.cached_property
    def special_ids(self) -> dict[str, int]:
        """Token ids of the special tokens, by name."""
        ids = {name: self._inner.token_to_id(text) for name, text in self.special.items()}
        return {name: number for name, number in ids.items() if number is not None}

    def encode(self, text: str, *, special: bool = True) -> TokenIds:
        """Encode a text as token ids.

        Args:
            text: The text.
            special: Whether tokens go around it that this model expects, such as a first token.
        """
        return np.asarray(self._inner.encode(text, add_special_tokens=special).ids, np.int32)

    def encode_many(self, texts: Sequence[str]) -> list[TokenIds]:
        """Encode texts side by side, without tokens around them."""
        found = self._inner.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.asarray(one.ids, np.int32) for one in found]

    def decode(self, ids: npt.ArrayLike, *, skip_special: bool = False) -> str:
        """Decode token ids to text.

        Raises:
            RecipeError: An id outside the vocabulary, with its position.
        """
        known = check_ids(ids, self.vocab_size).reshape(-1).tolist()
        text = self._inner.decode(known, skip_special_tokens=skip_special)
        bytes_pairs = type(self._inner.model).__name__ == "BPE"
        if self._settings.get("clean_up_tokenization_spaces") and not bytes_pairs:
            for apart, joined in _JOINED.items():
                text = text.replace(apart, joined)
        return text

    def stream(self) -> "PublishedStream":
        """Return a decoder that holds back the bytes of an incomplete character."""
        return PublishedStream(self.decode)

    def chat(
        self,
        messages: Messages,
        *,
        add_generation_prompt: bool = True,
        template: str | None = None,
        **variables: Any,
    ) -> str:
        """Render a conversation as text, which is then encoded with `special=False`.

        Args:
            messages: The messages, each with `role` and `content`.
            add_generation_prompt: Whether the text ends where the model's answer begins.
            template: Name of a template, of a model that has several.
            **variables: What the template may know besides, such as `tools`.

        Raises:
            RecipeError: No such template, or one that refuses the messages.
        """
        templates = self._templates
        name = template or "default"
        if template is None and variables.get("tools") and "tool_use" in templates:
            name = "tool_use"
        if name not in templates:
            has = nearest_of(name, templates) if templates else "a model that was trained to chat"
            raise RecipeError(f"The tokenizer has no chat template {name!r}.", f"Use {has}.")
        return render(
            templates[name],
            messages,
            add_generation_prompt=add_generation_prompt,
            special=self.special,
            **variables,
        )

    def save(self, folder: Path) -> None:
        """Write the files that it was read from.

        Raises:
            OSError: The folder cannot be written.
        """
        texts = {TOKENIZER: self.content, SETTINGS: self.settings, TEMPLATE: self.template}
        for name, text in texts.items():
            if text:
                write_atomically(folder / name, text.encode())

    @functools.cached_property
    def _inner(self) -> Any:
        try:
            import tokenizers
        except ImportError as error:
            raise RecipeError(
                "tokenizer.json needs the package tokenizers, which is not installed.",
                'Run pip install "linen-blocks[hf]", or load(..., tokenizer=False).',
            ) from error
        try:
            inner = tokenizers.Tokenizer.from_str(self.content)
        except Exception as error:  # The package raises no kind of its own.
            raise _damaged(TOKENIZER, error) from error
        # Bounds of a batch in training, which the reference does not keep to either.
        inner.no_truncation()
        inner.no_padding()
        if {"add_bos_token", "add_eos_token"} & self._settings.keys():
            self._put_around(inner)
        return inner

    def _put_around(self, inner: Any) -> None:
        """Set which tokens go around a text, where the settings say it: they go before the file."""
        from tokenizers.processors import TemplateProcessing

        pattern, tokens = ["$A"], []
        for name, place in (("bos", 0), ("eos", len(pattern) + 1)):
            token = self.special.get(f"{name}_token")
            if self._settings.get(f"add_{name}_token") and token is not None:
                pattern.insert(place, token)
                tokens.append((token, inner.token_to_id(token)))
        inner.post_processor = TemplateProcessing(single=" ".join(pattern), special_tokens=tokens)

    @functools.cached_property
    def _settings(self) -> dict[str, Any]:
        try:
            settings = json.loads(self.settings or "{}")
        except (ValueError, RecursionError) as error:
            raise _damaged(SETTINGS, error) from error
        if not isinstance(settings, dict):
            raise _damaged(SETTINGS, "it is not a JSON object")
        return settings

    @functools.cached_property
    def _templates(self) -> dict[str, str]:
        if self.template:
            return {"default": self.template}
        match self._settings.get("chat_template"):
            case None:
                return {}
            case str(text):
                return {"default": text}
            case [*several] if all(isinstance(one, dict) for one in several):
                return {str(one.get("name")): str(one.get("template")) for one in several}
            case _:
                raise _damaged(SETTINGS, "chat_template is neither a text nor a list of them")


class PublishedStream:
    """Incremental decoder: its results, joined, are the decoded text.

    Tokens are decoded together with those just before them, as some have a space only there.
    """

    def __init__(self, decode: Callable[[npt.ArrayLike], str]) -> None:
        self._decode = decode
        self._ids: list[int] = []
        self._done = 0

    def push(self, ids: npt.ArrayLike) -> str:
        """Return the characters that `ids` complete."""
        self._ids += np.atleast_1d(np.asarray(ids)).reshape(-1).tolist()
        text = self._decode(self._ids)
        return "" if text.endswith("\ufffd") else self._take(text)

    def flush(self) -> str:
        """Return what was held back."""
        return self._take(self._decode(self._ids))

    def _take(self, text: str) -> str:
        new = text[len(self._decode(self._ids[: self._done])) :]
        self._ids = self._ids[self._done :]
        self._done = len(self._ids)
        return new


def tokenizer_of(folder: Path, name: str = TOKENIZER) -> PublishedTokenizer | None:
    """Read the tokenizer of a folder; None if it has none.

    Args:
        folder: The folder, whose settings are read too.
        name: Name of the tokenizer's file.

    Raises:
        RecipeError: A damaged file, or `tokenizers` is not installed.
    """
    if not (folder / name).exists():
        return None
    settings = read_json(folder / SETTINGS) if (folder / SETTINGS).exists() else {}
    older = folder / "special_tokens_map.json"
    if older.exists():
        settings = {**read_json(older), **settings}
    text = json.dumps(settings, indent=2, ensure_ascii=False) if settings else ""
    template = _text(folder / TEMPLATE) if (folder / TEMPLATE).exists() else ""
    return PublishedTokenizer(_text(folder / name), text, template)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise _damaged(path.name, f"it has more than {_MAX_BYTES:,} bytes")
        return path.read_bytes().decode()
    except OSError as error:
        raise RecipeError(
            f"{str(path)!r} cannot be read: {error.strerror}.", "Give a folder that can be read."
        ) from error
    except UnicodeDecodeError as error:
        raise _damaged(path.name, error) from error


def _damaged(name: str, reason: object) -> RecipeError:
    return RecipeError(f"{name} is damaged: {reason}.", "Get the file again.")
