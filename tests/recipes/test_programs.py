"""Compiled programs that commands keep: whose folder, and what comes of a poor one."""

import os
import pwd
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from processes import ended, start_python
from small_recipe import SMALL, TEXT

from recipes import programs
from recipes.programs import FOLDER, OPTION, forget_old, keep_programs

HITS = "/jax/compilation_cache/cache_hits"
ASKED = "/jax/compilation_cache/compile_requests_use_cache"
# A process as the commands start it: the settings of the tests' own programs are taken away.
COUNTING = f"""
import collections, os, resource, sys
for name in [name for name in os.environ if name.startswith("JAX_")]:
    del os.environ[name]
from recipes.programs import keep_programs
assert keep_programs()
import jax
counted = collections.Counter()
jax.monitoring.register_event_listener(lambda event, **_: counted.update([event]))
{{}}
print()
print(counted["{ASKED}"], counted["{HITS}"])
"""
TRAINING = COUNTING.format("from recipes.commands import main\nassert main(sys.argv[1:]) == 0")
# A limit of bytes for each file is a disk that fills up in the middle of one.
LIMITED = COUNTING.format(
    "limit = int(sys.argv[1])\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))\n"
    "assert jax.jit(lambda x: x + 1)(1) == 2"
)


@pytest.fixture(autouse=True)
def _before_jax(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As in a process that has not imported JAX, of a user without programs."""
    monkeypatch.setattr(programs, "sys", SimpleNamespace(modules={}))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_programs_are_kept_where_their_user_alone_may_write() -> None:
    environment: dict[str, str] = {}
    folder = keep_programs(environment)
    assert folder is not None
    assert environment[FOLDER] == str(folder)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent)] == [0o700] * 2


@pytest.mark.parametrize("own", [{FOLDER: "mine"}, {FOLDER: ""}, {OPTION: "false"}])
def test_settings_of_the_user_stand(own: dict[str, str], tmp_path: Path) -> None:
    environment = dict(own)
    assert keep_programs(environment) is None
    assert environment == own
    assert not (tmp_path / "cache").exists()


def test_a_process_that_has_jax_decides_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "sys", SimpleNamespace(modules={"jax": None}))
    assert keep_programs({}) is None


@pytest.mark.parametrize("place", ["folder", "its parent"])
def test_a_folder_that_others_may_write_is_not_used(place: str) -> None:
    folder = keep_programs({})
    assert folder is not None
    (folder if place == "folder" else folder.parent).chmod(0o770)
    assert keep_programs(environment := {}) is None
    assert environment == {}


def test_a_folder_of_another_user_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert keep_programs({})
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    assert keep_programs({}) is None


def test_modes_count_only_where_users_have_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = keep_programs({})
    assert folder is not None
    for path in (folder, folder.parent):
        path.chmod(0o777)  # what Windows says of every folder
    monkeypatch.delattr(os, "geteuid")
    assert keep_programs({}) == folder


def test_a_user_without_a_home_keeps_no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert keep_programs(environment := {}) is None
    assert environment == {}


def test_no_folder_is_made_where_the_command_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # What older platformdirs say of a user without a home.
    monkeypatch.setattr(programs, "cache_folder", lambda: Path("~/.cache/linen-blocks"))
    monkeypatch.chdir(tmp_path)
    assert keep_programs({}) is None
    assert list(tmp_path.iterdir()) == []


def test_no_folder_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    assert keep_programs({}) is None


def test_programs_used_longest_ago_are_forgotten_first(tmp_path: Path) -> None:
    (tmp_path / "processor").mkdir()
    for age, name in enumerate(["new", "old", "older", "oldest"]):
        path = tmp_path / "processor" / name
        path.write_bytes(bytes(100))
        os.utime(path, (10_000 - age, 10_000 - age))
    forget_old(tmp_path, most_bytes=400)
    assert len(list(tmp_path.glob("*/*"))) == 4
    forget_old(tmp_path, most_bytes=399)
    assert [path.name for path in tmp_path.glob("*/*")] == ["new"]


def test_folders_of_the_compiler_within_are_looked_into_and_stay(tmp_path: Path) -> None:
    within = tmp_path / "processor" / "xla_gpu_per_fusion_autotune_cache_dir"
    within.mkdir(parents=True)
    (within / "tuning").write_bytes(bytes(150))
    os.utime(within / "tuning", (1, 1))
    (tmp_path / "processor" / "new").write_bytes(bytes(50))
    forget_old(tmp_path, most_bytes=199)
    assert sorted(path.name for path in tmp_path.glob("*/**/*")) == ["new", within.name]


def test_programs_that_another_process_forgets_meanwhile_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = Path.glob

    def listed_before(folder: Path, pattern: str) -> Iterator[Path]:
        paths = list(listed(folder, pattern))
        (tmp_path / "processor" / "gone").unlink(missing_ok=True)
        yield from paths

    (tmp_path / "processor").mkdir()
    for age, (name, size) in enumerate([("new", 50), ("old", 150), ("gone", 150)]):
        path = tmp_path / "processor" / name
        path.write_bytes(bytes(size))
        os.utime(path, (10_000 - age, 10_000 - age))
    monkeypatch.setattr(Path, "glob", listed_before)
    forget_old(tmp_path, most_bytes=199)
    assert os.listdir(tmp_path / "processor") == ["new"]


def test_a_folder_that_cannot_be_trimmed_is_used_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(_: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(programs, "forget_old", refused)
    assert keep_programs({}) is not None


def test_other_warnings_are_shown_as_before(recwarn: pytest.WarningsRecorder) -> None:
    assert keep_programs({})
    warnings.warn("something else", stacklevel=1)
    assert [str(warning.message) for warning in recwarn] == ["something else"]


@pytest.mark.slow
def test_a_second_start_compiles_nothing_also_after_two_at_once(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    words = [*SMALL, "--data", tmp_path / "text.txt", "--max-steps", "2", "--run-dir"]
    firsts = [start_python(TRAINING, *words, tmp_path / f"run{index}") for index in range(2)]
    for first in firsts:
        code, _, err = ended(first)
        assert (code, err) == (0, "")
    code, out, err = ended(start_python(TRAINING, *words, tmp_path / "run2"))
    assert (code, err) == (0, "")
    asked, hits = map(int, out.split()[-2:])
    assert asked == hits > 0


@pytest.mark.slow
def test_half_a_program_of_a_full_disk_is_replaced_once_there_is_room() -> None:
    for limit, hit in [(100, False), (2**30, False), (2**30, True)]:
        code, out, err = ended(start_python(LIMITED, limit))
        assert (code, err) == (0, "")
        asked, hits = map(int, out.split()[-2:])
        assert asked > 0
        assert hits == asked * hit
