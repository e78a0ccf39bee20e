"""All public names of `blocks`, those that only a room of it exports among them."""

import inspect

import flax.linen as nn

from _build.rooms import every_name

ADDRESSES = {name: address for name, (address, _) in every_name().items()}
PUBLIC = {name: thing for name, (_, thing) in every_name().items()}
BLOCKS = {
    name: thing
    for name, thing in PUBLIC.items()
    if inspect.isclass(thing) and issubclass(thing, nn.Module)
}
