"""The data behind the pages of guarantees: what it names exists."""

import tomllib
from pathlib import Path

from _build.guarantees import fault_tests
from _build.rooms import every_name

ROOT = Path(__file__).parents[2]
FEATURES = tomllib.loads((ROOT / "docs/guarantees/features.toml").read_text(encoding="utf-8"))
FAULTS = tomllib.loads((ROOT / "docs/guarantees/faults.toml").read_text(encoding="utf-8"))


def test_the_table_of_features_names_public_parts() -> None:
    named = {name for feature in FEATURES["feature"] for name in feature["ours"]}
    assert named - set(every_name()) == set()


def test_a_cell_of_the_table_is_of_a_library_that_it_speaks_of() -> None:
    known = {"group", "name", "ours", "search", *FEATURES["peers"]}
    assert {key for feature in FEATURES["feature"] for key in feature} - known == set()


def test_the_table_of_faults_has_every_row_once() -> None:
    assert [fault["row"] for fault in FAULTS["fault"]] == list(range(1, 59))


def test_the_tests_of_a_row_are_those_that_are_marked_with_it(tmp_path: Path) -> None:
    tests = tmp_path / "tests/faults"
    tests.mkdir(parents=True)
    (tests / "test_a.py").write_text("pytestmark = [pytest.mark.fault(3), pytest.mark.slow]\n")
    (tests / "test_b.py").write_text(
        "@pytest.mark.fault(3, 7)\n@pytest.mark.slow\ndef test_one(): ...\n"
        "def test_two(): ...\ndef helper(): ...\n"
        "@pytest.mark.parametrize('x', [pytest.param(1, marks=pytest.mark.fault(9))])\n"
        "def test_three(x): ...\n"
    )
    assert fault_tests(tmp_path) == {
        3: ["test_a.py", "test_b.py::test_one"],
        7: ["test_b.py::test_one"],
        9: ["test_b.py::test_three"],
    }
