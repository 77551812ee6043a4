"""What can be set once for all commands: defaults < file < environment < flags. Not the options of one call."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from nearsense._paths import expanded, is_file
from nearsense.errors import InputError
from nearsense.records import Long, Precision, parse


def _folder(variable: str, fallback: str) -> Path:
    """A folder of the XDG base directory specification."""
    return Path(os.environ.get(variable) or Path.home() / fallback) / "nearsense"


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings that hold for a whole program.

    Args:
        model: The model that verbs use where none is named.
        precision: In what arithmetic models run.
        threads: Processor cores to use; 0 is all.
        long: What happens to texts that exceed the model's limit.
        cache_dir: Compiled models, file hashes and known vectors; safe to delete at any time.
        cache_mb: How many megabytes of vectors to keep there, so that no text is encoded twice; 0 is none.
        log_mb: How many megabytes the log of a collection's queries may have, where one is kept; 0 is none.
        offline: Never ask the network for a model that is not here.
        device: Where models run: "cpu", or for sentence-transformers' engine "cuda", "cuda:1", "mps", "xpu".
        language_check: Say once where texts look like a language that the model was not made for.
    """

    model: str = "all-MiniLM-L6-v2"
    precision: Precision = Precision.AUTO
    threads: int = 0
    long: Long = Long.WARN
    cache_dir: Path = field(default_factory=lambda: _folder("XDG_CACHE_HOME", ".cache"))
    cache_mb: int = 1024
    log_mb: int = 64
    offline: bool = False
    device: str = "cpu"
    language_check: bool = True


def load_settings(
    file: Path | None = None, environment: Mapping[str, str] | None = None, **flags: Any
) -> Settings:
    """Read the settings: defaults, then the file, then `NEARSENSE_*` variables, then `flags` that are not None.

    The file is TOML: `file`, else `$NEARSENSE_CONFIG`, else `nearsense/config.toml` in the user's configuration
    folder, where it exists. An error says where the name or value that is not known was read.

    Example:
        >>> load_settings(environment={"NEARSENSE_PRECISION": "f32"}, threads=2).precision
        <Precision.F32: 'f32'>
    """
    environment = os.environ if environment is None else environment
    known = {each.name for each in fields(Settings)}
    variables = {name: value for name in known if (value := environment.get(f"NEARSENSE_{name.upper()}"))}
    given = {name: value for name, value in flags.items() if value is not None}
    settings = Settings()
    for values, source in (
        _from_file(file, environment),
        (variables, "the environment (NEARSENSE_...)"),
        (given, "the options"),
    ):
        for name, value in values.items():
            if name not in known:
                what = f"{source}: setting {name!r} is not known"
                raise InputError(what, fix=f"use one of: {', '.join(sorted(known))}")
            try:
                settings = replace(settings, **{name: _PARSERS[name](value, name)})
            except InputError as error:
                raise InputError(f"{source}: {error.what}", why=error.why, fix=error.fix) from None
    return settings


def _from_file(file: Path | None, environment: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    named = file or environment.get("NEARSENSE_CONFIG")
    path = Path(named) if named else _folder("XDG_CONFIG_HOME", ".config") / "config.toml"
    if not named and not is_file(path):
        return {}, str(path)
    import tomllib

    try:
        return tomllib.loads(path.read_text("utf-8")), str(path)
    except (OSError, ValueError, RecursionError) as error:
        what = f"{path}: the settings cannot be read"
        raise InputError(what, why=str(error), fix='write TOML, e.g. precision = "f32"') from None


def _count(value: Any, name: str) -> int:
    """A whole number from 0 to 99,999."""
    word = str(value)
    if isinstance(value, float) or not (word.isascii() and word.isdecimal() and len(word) < 6):
        raise InputError(f"{name}={value!r} is not a whole number from 0 up", fix=f"for example {name} = 2")
    return int(word)


def _path(value: Any, name: str) -> Path:
    """A folder, "~" standing for the user's own."""
    if not isinstance(value, (str, Path)) or "\0" in str(value):
        raise InputError(f"{name}={value!r} is no folder", fix=f'for example {name} = "~/.cache/nearsense"')
    return expanded(value)


def _model(value: Any, name: str) -> str:
    """The name of a model."""
    if not str(value).strip():
        raise InputError("no model is named", fix=f"for example {name} = all-MiniLM-L6-v2")
    return str(value)


def _flag(value: Any, name: str) -> bool:
    """Yes or no, as people write it."""
    word = str(value).lower()
    if word not in _FLAGS:
        raise InputError(f"{name}={value!r} is neither yes nor no", fix=f"for example {name} = true")
    return _FLAGS[word]


_FLAGS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}

_DEVICES = ("cpu", "cuda", "mps", "xpu")


def _device(value: Any, name: str) -> str:
    """The name of a device, with a number where there are several."""
    kind, _, number = str(value).partition(":")
    if kind not in _DEVICES or (number and not number.isdecimal()):
        raise InputError(f"{name}={value!r} is not known", fix=f"use one of: {', '.join(_DEVICES)}, or cuda:1")
    return str(value)


_PARSERS: dict[str, Callable[[Any, str], Any]] = {
    "model": _model,
    "precision": lambda value, name: parse(Precision, str(value), name=name),
    "threads": _count,
    "long": lambda value, name: parse(Long, str(value), name=name),
    "cache_dir": _path,
    "cache_mb": _count,
    "log_mb": _count,
    "offline": _flag,
    "device": _device,
    "language_check": _flag,
}
