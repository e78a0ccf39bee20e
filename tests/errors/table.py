"""The table of mistakes: the cases of all files in `families/`."""

import importlib
import pkgutil

from errors import families
from errors.case import Case

CASES: list[Case] = [
    case
    for file in pkgutil.iter_modules(families.__path__)
    for case in importlib.import_module(f"errors.families.{file.name}").CASES
]
BLOCKS = sorted({case.name.split()[0] for case in CASES})
