"""Failures of the machine under a command, in words: no room, no permission, no memory."""

import errno

from recipes.errors import RecipeError

# Errors of files that a user can mend; others are bugs and keep their traceback.
OF_THE_MACHINE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENAMETOOLONG, errno.ESTALE, errno.ENOLCK),
}
LESS_MEMORY = (
    "Raise --trainer.accumulate, add --model.remat full, or lower --batch-size, --model.context or "
    "--model.features; `plan` says what a step takes."
)


def explained(error: Exception) -> RecipeError | None:
    """The cause and the fix of a failure of the machine; None for any other error."""
    if isinstance(error, RecipeError):
        return error
    if isinstance(error, OSError) and error.errno in OF_THE_MACHINE:
        what = "A file" if error.filename is None else repr(str(error.filename))
        return RecipeError(
            f"{what} cannot be read or written: {error.strerror}.",
            "Free disk space or fix the permissions, then repeat the command.",
        )
    if isinstance(error, FileNotFoundError) and "temporary directory" in str(error):
        return RecipeError(
            f"There is no room for temporary files: {error.strerror}.",
            "Free disk space or fix the permissions, or point TMPDIR to another folder.",
        )
    if isinstance(error, MemoryError):
        return RecipeError("There is not enough memory.", LESS_MEMORY)
    # JAX's own error, by its words: JAX may not be imported yet.
    if type(error).__module__.startswith("jax") and "RESOURCE_EXHAUSTED" in str(error):
        reason = str(error).partition("\n")[0].partition("RESOURCE_EXHAUSTED")[2].strip(": .")
        return RecipeError(f"There is not enough memory: {reason}.", LESS_MEMORY)
    return None


def unwritable(error: OSError) -> RecipeError:
    """The cause and the fix of a standard output that cannot be written."""
    return RecipeError(
        f"The output cannot be written: {error.strerror}.", "Free disk space, or send it elsewhere."
    )
