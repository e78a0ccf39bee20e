"""Published models by name: their files from the hub, of one revision."""

import re
from pathlib import Path

from recipes.errors import RecipeError
from recipes.weights.folder import FLAX_WEIGHTS

# Never what would have to be unpickled, and no code.
_WANTED = ("*.json", "*.safetensors", "*.jinja")


def folder_of(source: str | Path, revision: str | None = None) -> Path:
    """Find the folder of a source: the folder itself, or the copy of what the hub has.

    Args:
        source: A folder, or a name such as `owner/model`; a folder goes before a name.
        revision: Branch, tag or commit on the hub; None for the newest.

    Raises:
        RecipeError: A name without `huggingface_hub` installed, or one that the hub does not give.
    """
    folder = Path(source)
    name = str(source)
    if folder.exists() or isinstance(source, Path) or not _is_name(name):
        if revision is not None:
            raise RecipeError(
                f"revision={revision!r} is for names on the hub, and {name!r} is a folder.",
                "Leave it out.",
            )
        return folder
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise RecipeError(
            f"{name!r} is not a folder; names on the hub need the package huggingface_hub.",
            'Give a folder, or run pip install "linen-blocks[hf]".',
        ) from error
    try:
        found = snapshot_download(name, revision=revision, allow_patterns=list(_WANTED))
        if not any(Path(found).glob("*.safetensors")):
            found = snapshot_download(name, revision=revision, allow_patterns=[FLAX_WEIGHTS])
    except Exception as error:  # Of the hub, of the connection or of the disk.
        reason = " ".join(str(error).split())
        raise RecipeError(
            f"{name!r} is not a folder, and the hub does not provide it: {reason[:300]}",
            "Check the name, the revision and the connection, or give a folder.",
        ) from error
    return Path(found)


def _is_name(source: str) -> bool:
    return re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", source) is not None
