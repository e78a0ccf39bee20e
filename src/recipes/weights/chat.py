"""Chat templates of published models, rendered without letting them do anything else."""

import datetime
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from recipes.errors import RecipeError

_REASONING = ("reasoning_content", "thinking", "reasoning")

Messages = Sequence[Mapping[str, Any]]


def render(
    template: str,
    messages: Messages,
    *,
    add_generation_prompt: bool,
    special: Mapping[str, str],
    **variables: Any,
) -> str:
    """Render a conversation as the text that a model was trained on.

    The template comes with the model and is not trusted: it runs in Jinja's sandbox, on copies of
    plain JSON values. It can still take time.

    Args:
        template: The template, in Jinja's language.
        messages: The messages, each with `role` and `content`.
        add_generation_prompt: Whether the text ends where the model's answer begins.
        special: Special tokens by their names, such as `bos_token`.
        **variables: What a template may know besides, such as `tools`.

    Raises:
        RecipeError: The template is damaged, does what the sandbox forbids, or refuses the
            messages.
    """
    import jinja2

    try:
        plain = json.loads(json.dumps({"tools": None, "documents": None, **variables}))
        # As the reference does: what is None counts as left out.
        said = [{k: v for k, v in message.items() if v is not None} for message in messages]
        plain["messages"] = json.loads(json.dumps([_reasoned(message) for message in said]))
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise RecipeError(
            f"The messages cannot be given to the chat template: {error}.",
            "Give a list of dictionaries of texts, numbers and lists: "
            '[{"role": "user", "content": "Hello"}].',
        ) from error
    try:
        return _compiled(template).render(
            **{**special, **plain, "add_generation_prompt": add_generation_prompt}
        )
    except (jinja2.TemplateError, TypeError, ValueError, LookupError, ArithmeticError) as error:
        raise RecipeError(
            f"The chat template cannot be rendered: {' '.join(str(error).split())}.",
            "Give the messages in the order and form that this model knows.",
        ) from error


def _reasoned(message: dict[str, Any]) -> dict[str, Any]:
    """Give a message's reasoning under each of the names that templates read."""
    found = [message[name] for name in _REASONING if name in message]
    if not found:
        return message
    return {"thinking": found[0], **message, "reasoning_content": found[0]}


@functools.lru_cache(maxsize=16)
def _compiled(template: str) -> Any:
    import jinja2
    import jinja2.ext
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Namespace(jinja2.utils.Namespace):
        """A namespace that keeps nothing under names that the sandbox would not read."""

        def __init__(self, *pairs: Any, **values: Any) -> None:
            super().__init__(**dict(*pairs, **values))
            for name in dict(*pairs, **values):
                _check_name(name)

        def __setitem__(self, name: Any, value: Any) -> None:
            _check_name(name)
            super().__setitem__(name, value)

    def _check_name(name: Any) -> None:
        if str(name).startswith("_"):
            raise jinja2.exceptions.SecurityError(f"a namespace may not hold {name!r}")

    def refuse(message: str) -> None:
        raise jinja2.TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[jinja2.ext.loopcontrols, _generation_block()],
    )
    environment.filters["tojson"] = _to_json
    environment.globals.update(
        raise_exception=refuse, strftime_now=_now, namespace=Namespace, dict=_new_dict
    )
    return environment.from_string(template)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as the reference has it; Jinja's own filter escapes for HTML."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _now(form: str) -> str:
    return datetime.datetime.now().strftime(form)


def _new_dict(*pairs: Any, **values: Any) -> dict[Any, Any]:
    """A function, so that no template reaches the type."""
    return dict(*pairs, **values)


def _generation_block() -> type:
    """Jinja's extension for `{% generation %}`, which marks answers and prints what it holds."""
    import jinja2.ext
    import jinja2.nodes

    class GenerationBlock(jinja2.ext.Extension):
        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            call = self.call_method("_print")
            return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

        def _print(self, caller: Callable[[], str]) -> str:
            return caller()

    return GenerationBlock
