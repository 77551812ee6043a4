"""Many cases in one test, where each takes next to nothing: set up and reported apart they cost far more."""

from __future__ import annotations

import functools
import inspect
import os
import signal
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from pathlib import Path

import pytest

import nearsense as ns

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
HEARD: dict[int, object] = {}
"""Who hears which signal when no test runs: filled in as the tests begin."""


def in_turn(names: str | tuple[str, ...], cases: Iterable) -> Callable:
    """As `pytest.mark.parametrize`, but in one test: each is tried, and each that fails is named by its values.

    A case has a folder, a `monkeypatch` and a process of its own where the test asks for these; whatever else the
    test asks for is the same for all.
    """
    own = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    cases = list(cases)

    def decorate(test: Callable) -> Callable:
        @functools.wraps(test)
        def one_after_another(**given):
            failed = []
            for number, case in enumerate(cases):
                values = dict(zip(own, [case] if len(own) == 1 else case, strict=True))
                try:
                    with _alone(given, number) as fixtures:
                        test(**values, **fixtures)
                except Exception as error:
                    error.add_note(
                        f"where {', '.join(f'{name} = {_short(value)}' for name, value in values.items())}"
                    )
                    failed.append(error)
            if len(failed) == 1:
                raise failed[0]
            if failed:
                raise ExceptionGroup(f"{len(failed)} of {len(cases)} cases", failed)

        signature = inspect.signature(test)
        assert cases
        assert not any(isinstance(case, type(pytest.param())) for case in cases), (
            "marks are for pytest.mark.parametrize"
        )
        assert {*own} <= {*signature.parameters}
        asked = [parameter for name, parameter in signature.parameters.items() if name not in own]
        del one_after_another.__wrapped__
        one_after_another.__signature__ = signature.replace(parameters=asked)
        return one_after_another

    return decorate


def _short(value) -> str:
    said = ascii(value)
    return said if len(said) <= 500 else f"{said[:500]}..."


@contextmanager
def _alone(given, number):
    fixtures = dict(given)
    if "tmp_path" in given:
        fixtures["tmp_path"] = Path(given["tmp_path"], f"case{number}")
        fixtures["tmp_path"].mkdir()
    with pytest.MonkeyPatch.context() as patch:
        if "monkeypatch" in given:
            fixtures["monkeypatch"] = patch
        if "run" not in given:
            yield fixtures
            return
        with own_process():
            yield fixtures


def hear_signals():
    """As when no test runs."""
    for number, handler in HEARD.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)


@contextmanager
def own_process():
    """What the command leaves in this process, options, signals, requests to servers, reaches nobody else."""
    before = os.environ.copy()
    hear_signals()  # a fixture of a whole module may have run the command
    if ns.encoders._load.cache_info().currsize:
        ns.load()  # so that many small models never push out the one that most tests use
    try:
        yield
    finally:
        if ns.encoders._remote:
            ns.encoders._remote.clear()
            ns.encoders._load.cache_clear()
        hear_signals()
        for name in {*before, *os.environ} - {"PYTEST_CURRENT_TEST"}:
            if name not in before:
                del os.environ[name]
            elif os.environ.get(name) != before[name]:
                os.environ[name] = before[name]
