"""Bytes that a compiled program has each device send, read from its text."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from functools import cache

# Bytes that a device of a ring of n sends for each byte of the result.
SENT = {
    "all-gather": lambda n: (n - 1) / n,
    "all-reduce": lambda n: 2 * (n - 1) / n,
    "reduce-scatter": lambda n: n - 1.0,
    "all-to-all": lambda n: (n - 1) / n,
    "collective-permute": lambda n: 1.0,
}
_BEGIN = re.compile(r"(ENTRY )?%?([\w.-]+) .*\{$")
_COLLECTIVE = re.compile(rf" = (.+?) ({'|'.join(SENT)})\(")
_ARRAY = re.compile(r"[a-z]+(\d+)\w*\[([\d,]*)\]")
# Three ways to write groups: so many of so many each, the devices of the first, axes of a mesh.
_GROUPS = re.compile(
    r"replica_groups=(?:\[\d+,(\d+)\]|\{\{([\d,]+)\}|mesh\[([^\]]*)\] \{([^}]*)\})"
)
_AXIS = re.compile(r"'(\w+)'=(\d+)")
_NAMED = re.compile(r"'(\w+)'(?::\(\d+\)(\d+))?")  # the whole axis, or so much of it
_BRANCHES = ("branch_computations", "true_computation", "false_computation")
_CALLED = re.compile(rf"(body|calls|to_apply|{'|'.join(_BRANCHES)})=(?:\{{([^}}]*)\}}|(%?[\w.-]+))")
_TIMES = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')


def bytes_sent(text: str) -> dict[str, float]:
    """Count what each device sends, by collective.

    Collectives of a loop count as often as it runs, those of branches in the one that sends most.

    Args:
        text: A compiled program, as `compiled.as_text()` gives it.

    References:
        Patarasuk and Yuan, Bandwidth optimal all-reduce algorithms for clusters of workstations,
        2009 (rings).
    """
    bodies, entry, name = defaultdict[str, list[str]](list), "", ""
    for line in text.splitlines():
        if begin := _BEGIN.match(line):
            name = begin[2]
            entry = name if begin[1] else entry
        else:
            bodies[name].append(line)

    @cache
    def sent(name: str) -> Counter[str]:
        total = Counter[str]()
        for line in bodies[name]:
            if found := _COLLECTIVE.search(line):
                total[found[2]] += _bytes(found[1]) * SENT[found[2]](_group(line))  # pyright: ignore
            branches = []
            for kind, listed, single in _CALLED.findall(line):
                times = _TIMES.search(line) if kind == "body" else None
                for inner in (listed or single).replace("%", "").split(", "):
                    if kind in _BRANCHES:
                        branches.append(sent(inner))
                        continue
                    for collective, count in sent(inner).items():
                        total[collective] += count * (int(times[1]) if times else 1)
            total.update(max(branches, key=lambda branch: sum(branch.values()), default={}))
        return total

    return {collective: float(count) for collective, count in sent(entry).items() if count}


def _bytes(result: str) -> float:
    return sum(
        int(bits) / 8 * math.prod(int(size) for size in sizes.split(",") if size)
        for bits, sizes in _ARRAY.findall(result)
    )


def _group(line: str) -> int:
    """Number of devices that take part together."""
    found = _GROUPS.search(line)
    if found is None:  # the pairs of a permutation
        return 2
    size, devices, axes, names = found.groups()
    if names is not None:
        sizes = dict(_AXIS.findall(axes))
        return math.prod(int(part or sizes[name]) for name, part in _NAMED.findall(names))
    return int(size) if size else len(devices.split(","))
