"""Arguments that look swapped: a file where a text belongs. Not how either is read."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence

from nearsense._paths import exists, is_file, is_url
from nearsense.errors import InputError


def require_order(file: str, texts: Sequence[str], text: str = "query") -> None:
    """Refuse arguments that were typed the wrong way round, with the line to type.

    They were where FILE is none and a text is the name of one. Where both are, that is only said: the name of a
    file may be what is asked for.
    """
    named = next(filter(exists, texts), None)
    if named is None:
        return
    if file == "-" or is_url(file) or exists(file):
        if is_file(named):
            sys.stderr.write(f"warning: {named} is taken as the {text} itself, and a file of that name is here\n")
        return
    words = ["nearsense", *sys.argv[1:]]
    turned = {file: named, named: file}
    raise InputError(
        f"the arguments look swapped: {named} is a file, and stands where the {text} belongs",
        why=f"there is no file {shlex.quote(file)}",
        fix=shlex.join([turned.get(word, word) for word in words]),
    )
