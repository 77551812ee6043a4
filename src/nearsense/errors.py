"""Every error that nearsense raises, as one tree, and every warning that it gives.

Each error has three parts, which the command prints on a line each:

* `what` happened, with the item named (file, line, id, model);
* `why` that is a problem, or what was expected;
* `fix`: what to type or change.

    NearsenseError
    ├── InputError (ValueError)          what the caller gave cannot be used
    │   ├── FileError                    a file cannot be read or written, or its contents are off
    │   ├── UnknownField                 a filter asks for a field that no document has
    │   ├── TextTooLong                  long="error" and a text exceeds the model's limit
    │   ├── ZeroVectorError              a vector without direction has no cosine
    │   └── TooLargeError                the result would not fit into memory
    ├── ModelError                       a model cannot be used
    │   ├── ModelNotFound                no folder for that name
    │   ├── BrokenModel                  the folder is there, its files are not in order
    │   ├── UnsupportedModel             in order, but nothing here can run it
    │   └── ModelMismatch (ValueError)   vectors of two models meet
    ├── StoreError                       a collection cannot be opened, read or written
    │   ├── CollectionNotFound           nothing there, and it shall not be made
    │   ├── DamagedCollection            what lies on the disk is not what was written
    │   └── DiskFull (OSError)           a change did not fit; nothing of it was kept
    └── MissingExtra (ImportError)       an optional dependency is not installed

Warnings are UserWarnings, the answer is there and something about it should be known: CalibrationWarning,
LanguageWarning, RoleWarning, TruncationWarning, UnknownTextWarning.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "BrokenModel",
    "CalibrationWarning",
    "CollectionNotFound",
    "DamagedCollection",
    "DiskFull",
    "FileError",
    "InputError",
    "LanguageWarning",
    "MissingExtra",
    "ModelError",
    "ModelMismatch",
    "ModelNotFound",
    "NearsenseError",
    "RoleWarning",
    "StoreError",
    "TextTooLong",
    "TooLargeError",
    "TruncationWarning",
    "UnknownField",
    "UnknownTextWarning",
    "UnsupportedModel",
    "ZeroVectorError",
]


class NearsenseError(Exception):
    """Base of all errors of nearsense: what happened, why, and what to do.

    Args:
        what: One line that names the item.
        why: One line: the reason, or what was expected instead.
        fix: One line: what to type or change.
        choices: What may be added to the same command, each of them a way on.

    Example:
        >>> error = NearsenseError("no text in line 3", why="the cell is empty", fix="add --skip-empty")
        >>> print(error)
        no text in line 3
        why: the cell is empty
        fix: add --skip-empty
    """

    def __init__(self, what: str, *, why: str = "", fix: str = "", choices: Sequence[str] = ()) -> None:
        self.what, self.why, self.fix, self.choices = what, why, fix, tuple(choices)
        lines = [what, f"why: {why}" if why else "", f"fix: {fix}" if fix else ""]
        super().__init__("\n".join(line for line in lines if line))

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling with all three parts (workers send errors home)."""
        return _rebuild, (type(self), self.what, self.why, self.fix, self.choices)


def _rebuild(
    kind: type[NearsenseError], what: str, why: str, fix: str, choices: Sequence[str] = ()
) -> NearsenseError:
    return kind(what, why=why, fix=fix, choices=choices)


class InputError(NearsenseError, ValueError):
    """What the caller gave cannot be used."""


class FileError(InputError):
    """A file cannot be read or written, or its contents are not what was expected."""


class UnknownField(InputError):
    """A filter asks for a field that no document has."""


class TextTooLong(InputError):
    """A text exceeds the model's limit and `long="error"` was asked for."""


class ZeroVectorError(InputError):
    """A vector of length zero has no direction, so no cosine."""


class TooLargeError(InputError):
    """The result would take more memory than there is."""


class ModelError(NearsenseError):
    """A model cannot be used."""


class ModelNotFound(ModelError):
    """No folder was found for a model's name."""


class BrokenModel(ModelError):
    """A model's folder was found, but its files are missing, damaged or contradict each other."""


class UnsupportedModel(ModelError):
    """A model is in order, but no engine here can run it."""


class ModelMismatch(ModelError, ValueError):
    """Vectors of two different models were about to be compared."""


class MissingExtra(NearsenseError, ImportError):
    """An optional dependency is not installed."""


class StoreError(NearsenseError):
    """A collection cannot be opened, read or written."""


class CollectionNotFound(StoreError):
    """There is no collection at the path, and none shall be made."""


class DamagedCollection(StoreError):
    """What lies on the disk is not what was written there."""


class DiskFull(StoreError, OSError):
    """A change did not fit on the disk; nothing of it was kept, everything before it was."""


class CalibrationWarning(UserWarning):
    """Probabilities are used far from where they were learnt, or labels contradict the scores."""


class LanguageWarning(UserWarning):
    """A notable share of the texts is in a language that the model was not made for."""


class RoleWarning(UserWarning):
    """A model that needs to know whether a text is a query or a passage was not told."""


class TruncationWarning(UserWarning):
    """Texts were cut at the model's limit."""


class UnknownTextWarning(UserWarning):
    """Texts have no token that the model knows: their vectors say nothing of them."""
