"""The names of metrics: all there, each described and shown; those that judge load when they are first used."""

import inspect
import subprocess
import sys

import pytest

from nearsense import metrics
from turns import in_turn


@in_turn("name", metrics.__all__)
def test_every_name_is_there_described_and_shown(name):
    thing = getattr(metrics, name)
    assert inspect.getdoc(thing)
    if inspect.isfunction(thing):
        assert ">>>" in thing.__doc__


def test_a_search_does_not_load_what_judges_it():
    code = "import sys, nearsense as ns; ns.search('cat', ['a cat', 'a dog']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "nearsense.vectors.similarity" in loaded.split()
    assert "nearsense.metrics.retrieval" not in loaded.split()


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"nearsense\.metrics.*accuracy_score"):
        metrics.accuracy_score  # noqa: B018
