"""`Block`, the base of every block: a value that checks its fields and owns its parts.

Linen ties the weights of a module instance that stands in two places, in silence; a default field
value, `(block,) * n` and `template.clone()` all do. Values of blocks may share their parts, as any
immutable values may: making one copies nothing. When a block is bound to variables, every slot gets
a copy of its part, so that two places are two sets of weights, whatever way the model was written.
"""

import dataclasses
import inspect
import weakref
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import flax.linen as nn
import jax
from flax.core import Scope
from flax.errors import ScopeParamShapeError

import blocks.core.pickling  # noqa: F401  # registers itself
from blocks.core.errors.binding import reporting
from blocks.core.errors.habits import HABITS
from blocks.core.errors.location import Location, running, where
from blocks.core.errors.words import shown
from blocks.core.expression import expression
from blocks.core.fields import check_types, copied_slots
from blocks.core.modules import fields_of, map_modules, modules_in
from blocks.core.parts import check_names, part_name, taken
from blocks.core.typing import KEYS, of_jax, starting

M = TypeVar("M", bound=nn.Module)


@dataclasses.dataclass(frozen=True)
class Default:
    """Wrapper of a default part in a class attribute such as `TransformerBlock.norm`.

    Attributes:
        value: the default part.
    """

    value: nn.Module


class Block(nn.Module, kw_only=True):
    """Base class for blocks: Linen modules that are values, with checked fields and own parts.

    Attributes:
        reads: fields of the context that a kind of block reads, beyond those that place its tokens,
            as `frozenset({"memory"})`. A model refuses what is given and none of its parts reads,
            unless a part outside this library takes a context and does not declare what it reads.
    """

    reads: ClassVar[frozenset[str]] = frozenset()

    apply = starting(nn.Module.apply, "variables", Mapping)
    init = starting(nn.Module.init, "jax.random.key(0)", KEYS)
    init_with_output = starting(nn.Module.init_with_output, "jax.random.key(0)", KEYS)

    def __init_subclass__(cls, **options: Any) -> None:
        """Adjust the class that Linen generated.

        Default parts are wrapped in class attributes, because the NNX bridge takes callables there
        for methods; and errors raised by `__init__` name the class.
        """
        for name in vars(cls).get("__annotations__", {}):
            inherited = getattr(cls, name, None)
            if name not in vars(cls) and isinstance(inherited, Default):
                setattr(cls, name, inherited.value)
        super().__init_subclass__(**options)
        for field in dataclasses.fields(cls):
            if isinstance(vars(cls).get(field.name), nn.Module):
                setattr(cls, field.name, Default(vars(cls)[field.name]))
        reporting(cls)

    def __post_init__(self) -> None:
        """Check the fields of a value that a user makes; Linen's own copies skip the checks."""
        if not vars(self).pop("_checked", False):
            self._check()
        super().__post_init__()

    @nn.nowrap
    def _check(self) -> None:
        fields = check_types(self, fields_of(self))
        vars(self).update(fields)
        self.check_fields()
        check_names(self._slots(), type(self).__name__)

    @nn.nowrap
    def _slots(self) -> dict[str, Any]:
        """The fields without those whose parts are templates."""
        copied = copied_slots(type(self))
        return {name: value for name, value in fields_of(self).items() if name not in copied}

    @nn.nowrap
    def clone(
        self,
        *,
        parent: Any = None,
        _deep_clone: Any = False,
        _reset_names: bool = False,
        **updates: Any,
    ) -> Any:
        """Copy the block, as in Linen; its parts stay shared until the copy is bound."""
        if not isinstance(parent, Scope) and updates.keys() - {"name"}:
            return super().clone(
                parent=parent, _deep_clone=_deep_clone, _reset_names=_reset_names, **updates
            )
        fields = {**fields_of(self), "name": self.name, **updates}
        if _deep_clone is not False:
            clones = weakref.WeakValueDictionary() if _deep_clone is True else _deep_clone
            names: dict[str, Any] = {"name": None} if _reset_names else {}

            def clone(part: Any) -> nn.Module:
                if part.parent is None:
                    return part
                if part._id not in clones:
                    made = clones[part._id] = part.clone(_deep_clone=clones, **names)
                    return made
                return clones[part._id]

            fields = {name: map_modules(value, clone) for name, value in fields.items()}
        return _make(type(self), fields, parent)

    @nn.nowrap
    def _register_submodules(self, name: str, val: Any) -> None:
        """Copy the parts of a slot when the block is bound; Linen would share them."""
        if name not in fields_of(self):  # an attribute that `setup` sets
            super()._register_submodules(name, val)
            return
        if name in copied_slots(type(self)):
            return
        bound: list[nn.Module] = []
        for path, part in modules_in(val, name):
            if part.parent is None:
                in_tuple = isinstance(val, (tuple, list))
                bound.append(copied(part, self, part_name(part) if in_tuple else path))
            else:
                bound.append(part)
        parts = iter(bound)
        super()._register_submodules(name, map_modules(val, lambda _: next(parts)))

    @nn.nowrap
    def _name_taken(
        self, name: str, reuse_scopes: bool = False, collection: str | None = None
    ) -> bool:
        """Return False, or refuse a second part or parameter of one name.

        Raises:
            ValueError: shows the part of a slot that has the name, if there is one.
        """
        if not super()._name_taken(name, reuse_scopes, collection):
            return False
        with Location(where(self)):
            raise ValueError(taken(name, self._slots()))

    @nn.nowrap
    def _call_wrapped_method(self, fun: Any, args: Any, kwargs: Any) -> Any:
        """Run a method, or refuse it on a block that is not bound to weights.

        Raises:
            TypeError: a call of a block that is not bound.
        """
        if self.scope is not None:
            return super()._call_wrapped_method(fun, args, kwargs)
        if hasattr(fun, "compact"):
            raise TypeError(
                f"{type(self).__name__} is a value and holds no weights; make them, variables = "
                "model.init(key, ...), and call it with them, model.apply(variables, ...)."
            )
        return fun(self, *args, **kwargs)

    @nn.nowrap
    def __getattr__(self, name: str) -> Any:
        """Explain attributes known from other libraries; leave all others to Linen."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name not in HABITS:
                raise
        raise AttributeError(f"{type(self).__name__} has no `{name}`: {HABITS[name]}.")

    @nn.nowrap
    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse to set a field in place: a block is a value.

        Raises:
            AttributeError: shows how to make a changed copy.
        """
        if "_state" in vars(self) and name not in ("parent", "name") and name in fields_of(self):
            raise dataclasses.FrozenInstanceError(
                f"{type(self).__name__} is a value, and its field `{name}` cannot be set in place; "
                f"make another: fresh(block, {name}=...)."
            )
        super().__setattr__(name, value)

    @nn.nowrap
    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Copy the value; its fields are immutable, and shared."""
        return self.clone(parent=None, name=self.name)

    def __repr__(self) -> str:
        """The expression that builds the block, omitting fields left at their defaults."""
        return expression(self)

    @property
    def sees_ahead(self) -> bool:
        """Whether outputs may depend on later positions; overridden by blocks that mix tokens."""
        return False

    def check_fields(self) -> None:
        """Raise `ValueError` where fields contradict each other; overridden by blocks."""

    def param(self, name: str, init_fn: Any, *init_args: Any, **kwargs: Any) -> Any:
        """Create or find a parameter, as in Linen.

        Raises:
            TypeError: its shape is not the one that the input requires.
        """
        try:
            value = super().param(name, init_fn, *init_args, **kwargs)
            # Weights from files are numpy arrays, which traced code cannot index or update.
            return of_jax(value)
        except ScopeParamShapeError:
            there = self.get_variable("params", name)
            asked = jax.eval_shape(lambda key: init_fn(key, *init_args), jax.random.key(0))
        given, call = "an input that asks", running.get()
        if call[1:] and call[0] is self:
            given = f"{shown(call[1])}, which asks"
        raise TypeError(
            f"{where(self)}: argument `{next(iter(inspect.signature(self.__call__).parameters))}` "
            f"does not fit the parameter `{name}`\n"
            f"  expected: an input for {name} of shape {there.shape}, as it was made\n"
            f"  actual:   {given} for {name} of shape {asked.shape}"
        )


def fresh(template: M, **overrides: Any) -> M:
    """Copy a block so that the copy has its own weights.

    Without `name` the copy is free-standing; with it, it becomes that child of the block whose
    method is running. Unlike `template.clone()` it shares no weights with the template.
    """
    parent = overrides.pop("parent", _RUNNING if "name" in overrides else None)
    name = overrides.pop("name", None)
    if overrides:
        fields = {name: map_modules(value, unbound) for name, value in fields_of(template).items()}
        return type(template)(**{**fields, **overrides}, parent=parent, name=name)
    return copied(template, parent, name)


_RUNNING = Block.__dataclass_fields__["parent"].default


def unbound(part: nn.Module) -> nn.Module:
    """Return an unbound part: the part itself, or a copy if it is bound to variables."""
    return part if part.parent is None else copied(part, None, part.name)


def copied(part: M, parent: Any, name: str | None) -> M:
    """Copy a part: as a child of `parent`, or as a value if that is None."""
    if isinstance(part, Block):
        fields = {key: map_modules(value, unbound) for key, value in fields_of(part).items()}
        return _make(type(part), {**fields, "name": name}, parent)
    # Linen binds the modules in a plain module, and would tie those that two of them share.
    fields = {
        key: map_modules(value, lambda inner: copied(inner, None, inner.name))
        for key, value in fields_of(part).items()
    }
    return type(part)(**fields, parent=parent, name=name)


def _make(kind: type[M], fields: dict[str, Any], parent: Any) -> M:
    """Make a block from fields that have been checked."""
    block = object.__new__(kind)
    vars(block).update(fields, _checked=True)
    for field in dataclasses.fields(kind):
        if not field.init and field.default_factory is not dataclasses.MISSING:
            vars(block)[field.name] = field.default_factory()
    object.__setattr__(block, "parent", parent)
    block.__post_init__()
    return block
