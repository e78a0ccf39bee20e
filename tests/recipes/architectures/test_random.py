"""Every family beside the reference library, with configurations that hypothesis draws.

A field that is read wrongly shows here, whether a row has it or not.
"""

import dataclasses
import importlib
import json
import os
import re
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from drawn_configs import Changes, changes
from hypothesis import HealthCheck, Phase, assume, given, note, settings
from hypothesis import strategies as st
from our_rows import difference, our_outputs
from reference_rows import Row, all_rows, family_of

from recipes.errors import RecipeError
from recipes.weights import load
from recipes.weights.load import model_of
from reference import open_reference, reference_outputs

pytestmark = [pytest.mark.reference, pytest.mark.further]  # rows stand for their families
DRAWS = int(os.environ.get("DRAWS", "4"))  # for each family
# Without a head of its own in the file the reference ties it, whatever these say.
T5_HEADS = ("tie_word_embeddings", "scale_decoder_outputs")


def families() -> dict[str, list[Row]]:
    """Rows by their family."""
    found: dict[str, list[Row]] = {}
    for row in all_rows().values():
        found.setdefault(family_of(row), []).append(row)
    return found


def reference_fields(row: Row) -> dict[str, Any]:
    """The row's configuration as the reference completes and writes it."""
    kind = getattr(importlib.import_module("transformers"), row.reference)
    config = kind.config_class(**row.config)
    config.architectures = [row.reference]
    return json.loads(config.to_json_string(use_diff=False))


def changed(row: Row, drawn: Changes) -> Row:
    """The row with other fields."""
    return dataclasses.replace(row, config={**row.config, **drawn})


def accepted(row: Row, drawn: Changes, counts: Counter[str]) -> Changes:
    """Changes without those that this library refuses by name, which are counted."""
    try:
        fields = reference_fields(changed(row, drawn))
    except Exception as error:  # the reference has errors of many kinds
        note(f"The reference refuses the configuration: {error}")
        return assume(False)
    try:
        model_of(fields)
    except RecipeError as error:
        counts["refused"] += 1
        named = {name for name in drawn if re.search(rf"[`.]{name}[`.]", str(error))}
        kept = {name: drawn[name] for name in drawn if named and name not in named}
        return accepted(row, kept, counts) if kept else {}
    except ValueError as error:
        note(f"Refused without a field of the configuration, unless the reference does: {error}")
    return drawn


@pytest.mark.parametrize("family", families())
def test_drawn_configurations_compute_what_the_reference_computes(family, record_property):
    pytest.importorskip("transformers", reason="needs the extra `reference`")
    rows, counts, largest = families()[family], Counter[str](), 0.0
    t5 = T5_HEADS if "T5" in family else ()
    drawings = [
        changes(reference_fields(row), (*t5, "vocab_size") if row.untied else t5) for row in rows
    ]
    cases = st.one_of(
        [st.tuples(st.just(row), drawn) for row, drawn in zip(rows, drawings, strict=True)]
    )

    @settings(
        max_examples=DRAWS,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases)
    def compare(case: tuple[Row, Changes]) -> None:
        nonlocal largest
        drawn = accepted(*case, counts)
        if not drawn:
            return
        note(f"{case[0].name} with {drawn}")
        row = changed(case[0], drawn)
        with TemporaryDirectory() as folder:
            theirs = computed(row, Path(folder))
            model, params, _ = load(folder, tokenizer=False)
            ours = our_outputs(row, model, params, row.config.get("vocab_size", 0))
        error = difference(row, ours, theirs) / max(1.0, float(np.abs(theirs).max()))
        largest = max(largest, error)
        assert error <= 1e-4
        counts["compared"] += 1

    compare()
    record_property("drawn", (family, counts["compared"], counts["refused"], largest))
    assert counts["compared"]


def computed(row: Row, folder: Path) -> np.ndarray:
    """Outputs of the reference; a draw that it cannot compute is discarded."""
    try:
        model, _ = open_reference(row, folder)
        model.set_experts_implementation("eager")  # The fast ones take no odd sizes.
        found = reference_outputs(row, model, tokens=0)["output"]
    except Exception as error:  # the reference has errors of many kinds
        note(f"The reference cannot compute it: {error}")
        return assume(False)
    assume(np.isfinite(found).all())
    return found
