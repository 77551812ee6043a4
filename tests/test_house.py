"""The house itself: walls, what an import costs, docs that cannot lie."""

from __future__ import annotations

import ast
import inspect
import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

import nearsense as ns
from conftest import DATA
from nearsense.cli import cli, main
from turns import in_turn

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


PUBLIC = [
    *((ns, name) for name in ns.__all__ if name != "__version__"),
    *((ns.errors, name) for name in ns.errors.__all__),
    *((ns.types, name) for name in ns.types.__all__),
]


def test_the_public_names_are_few_and_those_that_dir_shows():
    assert dir(ns) == sorted(ns.__all__)
    assert len(ns.__all__) <= 48


@pytest.mark.parametrize("room", [ns.errors, ns.types])
def test_errors_and_results_are_all_where_they_are_said_to_be(room):
    assert all(getattr(room, name).__name__ == name for name in room.__all__)
    assert all(getattr(ns, name) is getattr(room, name) for name in room.__all__), "old names answer too"


def test_a_name_that_is_nowhere_is_no_attribute():
    with pytest.raises(AttributeError, match="no attribute 'Hits'"):
        _ = ns.Hits
    with pytest.raises(AttributeError, match="no attribute 'Hits'"):
        _ = ns.types.Hits


@in_turn(("room", "name"), PUBLIC)
def test_everything_public_is_described(room, name):
    thing = getattr(room, name)
    assert inspect.getdoc(thing)
    if inspect.isfunction(thing):
        assert ">>>" in thing.__doc__, f"{name} has no example"
        for parameter in inspect.signature(thing).parameters:
            assert f"{parameter}:" in thing.__doc__, f"{name} does not describe {parameter}"


def test_importing_nearsense_loads_no_engine():
    heavy = {
        "openvino",
        "tokenizers",
        "safetensors",
        "torch",
        "pandas",
        "pyarrow",
        "matplotlib",
        "rich",
        "click",
        "csv",
    }
    code = (
        f"import numpy, sys; old = {{*sys.modules}}\nimport nearsense; print(*({{*sys.modules}} - old) & {heavy})"
    )
    assert python(code) == ""


@pytest.mark.parametrize("words", ["--version", "--help", "search --help"])
def test_help_and_version_load_no_engine(words):
    heavy = ["openvino", "tokenizers", "safetensors", "torch", "pandas", "pyarrow", "matplotlib", "rich"]
    code = f"""
import sys, io
from nearsense.cli import main
sys.argv, sys.stdout = ["nearsense", *{words.split()}], io.StringIO()
try: main()
except SystemExit: pass
sys.__stdout__.write(" ".join(set(sys.modules) & set({heavy})))"""
    assert python(code) == ""


PACKAGE = ROOT / "src/nearsense"
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text("utf-8")


def test_the_map_of_the_house_names_every_room_and_fits_a_screen():
    plan = ARCHITECTURE.split("## The map", 1)[1].split("```")[1]
    named = {*re.findall(r"[\w/]+(?:\.py|/)(?=[ ,;:\n])", plan)} - {"src/nearsense/"}
    rooms = {f"{each.name}/" for each in PACKAGE.iterdir() if each.is_dir() and each.name != "__pycache__"}
    rooms |= {each.name for each in PACKAGE.glob("[!_]*.py")}
    assert rooms - named == set()
    assert [name for name in named if not any(PACKAGE.rglob(name.rstrip("/")))] == []
    assert len(plan.splitlines()) <= 50
    assert max(map(len, plan.splitlines())) <= 120


def test_what_shows_a_decision_is_there():
    named = {*re.findall(r"`((?:tests|benchmarks|scripts|docs)/[^` ]+)", ARCHITECTURE)}
    assert [name for name in named if not (ROOT / name).exists()] == []
    tests = "".join(file.read_text("utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name in {*re.findall(r"`(test_\w+)`", ARCHITECTURE)} if f"def {name}(" not in tests] == []


PLACES = [
    line for line in ARCHITECTURE.split("## Where to change what")[1].split("## ")[0].splitlines() if "`" in line
]


@in_turn("line", PLACES)
def test_what_is_to_be_changed_is_where_the_table_says(line):
    words = re.findall(r"`([^`]+)`", line.split("|")[2])
    files = [word for word in words if "/" in word or word.endswith(".py")]
    places = [next((base / word for base in (PACKAGE, ROOT) if (base / word).exists()), None) for word in files]
    assert files
    assert None not in places, f"{files[places.index(None)]} is not there"
    texts = "".join(place.read_text("utf-8") for place in places if place.is_file())
    for word in words:
        if re.fullmatch(r"\w+", word):
            assert re.search(rf"\b{word}\b", texts), f"none of {files} holds {word}"


def test_no_file_grows_past_six_hundred_lines():
    assert [str(file) for file in SOURCES if len(file.read_text().splitlines()) > 600] == []


def test_what_is_at_a_path_is_asked_where_no_error_comes_of_it():
    """Of `_paths.py`; but for those who turn such errors into their own, and what is no pathlib.Path."""
    asking = re.compile(r"(?<!entry)(?<!_folder)\.(?:is_file|is_dir|exists)\(\)")
    own = [PACKAGE / "store", PACKAGE / "_folder.py", PACKAGE / "server"]
    rest = [file for file in SOURCES if not any(file.is_relative_to(each) for each in own)]
    assert [str(file) for file in rest if asking.search(file.read_text())] == []


@in_turn("file", SOURCES)
def test_each_file_says_what_it_is_for(file):
    assert ast.get_docstring(ast.parse(file.read_text()))


@in_turn("command", cli.commands.values())
def test_every_command_has_an_example_and_stands_in_the_docs(command):
    assert re.search(rf"Examples?:\s+nearsense {command.name}", command.help.replace("\b", ""))
    assert f"nearsense {command.name}" in (ROOT / "docs/commands.md").read_text()
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{command.name} {parameter.name}"


LONG_EXAMPLES = {"distill.py", "train.py"}
"""Eight seconds each: a table tuned, a model trained by torch. What they show is tested where it is made."""

EXAMPLES = [
    pytest.param(file, id=file.name, marks=[pytest.mark.slow] if file.name in LONG_EXAMPLES else [])
    for file in sorted((ROOT / "examples").glob("*.py"))
]


@pytest.mark.parametrize("data_folder", [None, pytest.param(DATA, marks=pytest.mark.slow)], ids=["alone", "data"])
@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.filterwarnings("ignore")
def test_every_example_runs(example, tmp_path, data_folder, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEARSENSE_DATA", str(data_folder or tmp_path / "nowhere"))
    runpy.run_path(str(example), run_name="__main__")
    assert capsys.readouterr().out


DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", *DOCS]


def code_of(page, kind):
    """The blocks of a page as one: what a reader has typed by then still holds."""
    return "\n".join(re.findall(rf"```{kind}\n(.*?)```", page.read_text(), re.S))


TYPED_ELSEWHERE = {"tutorial.md"}
"""Pages whose commands are run where what they show is compared: tests/test_tutorial.py."""

LONG_PAGES = {"commands.md", "distill.md", "training-report.md"}
"""Every command once, half a minute; a table tuned, as in the example; two models judged on a thousand pairs."""


def parameter(page):
    return pytest.param(page, id=page.name, marks=[pytest.mark.slow] if page.name in LONG_PAGES else [])


@pytest.mark.parametrize("page", [parameter(page) for page in DOCS if code_of(page, "pycon")])
def test_python_in_the_docs_prints_what_the_docs_say(page):
    import doctest

    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(doctest.DocTestParser().get_doctest(code_of(page, "pycon"), {}, page.name, None, 0))
    assert runner.summarize(verbose=False).failed == 0


TYPED = [page for page in DOCS if page.name not in TYPED_ELSEWHERE and code_of(page, "console")]


@pytest.mark.parametrize("page", [parameter(page) for page in TYPED])
def test_commands_in_the_docs_run(page, tmp_path, monkeypatch, capsys):
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for line in code_of(page, "console").splitlines():
        if (line.startswith("$ nearsense ") or line.startswith("$ cat ")) and line not in RUN:
            if ".nearsense" not in line:  # what depends on nothing is run on one page only
                RUN.add(line)
            code = typed(line[2:], monkeypatch)
            assert code == 0, (line, capsys.readouterr().err)


def typed(line, monkeypatch) -> int:
    """The exit code of a line: of one command in this process, which saves its start; of any other in a shell."""
    if set(line) & set("|<>&;$`*~") or not line.startswith("nearsense "):
        done = subprocess.run(["bash", "-c", line], timeout=120, capture_output=True, text=True)
        sys.stderr.write(done.stderr)
        return done.returncode
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", os.environ.copy())  # the options that stand anywhere are kept there
        patch.setattr(sys, "argv", shlex.split(line))
        try:
            main()
        except SystemExit as stop:
            return int(stop.code or 0)
    return 0


THREE = ("window", "bottle", "drawer")

RUN: set[str] = set()
"""Lines of the docs that were run already."""

FILES = {
    "tickets.csv": "id,text,status\n1,The dashboard freezes after login,open\n2,Please refund my invoice,solved\n",
    "pairs.csv": "question,answer\nIs it raining?,Rain is falling.\n",
    "faq.csv": (
        "question,answer\n"
        "How do I return a product?,Within 30 days by post.\n"
        "How long does shipping take?,Two days.\n"
        "How can I track my order?,You get a tracking number by mail.\n"
    ),
    "labels.csv": "question1,question2,is_duplicate\n"
    + "".join(
        f"How do I open a {n}?,How can I open the {n}?,1\nHow do I open a {n}?,Why is my {n} so late?,0\n"
        for n in (
            "box",
            "door",
            "tin",
            "jar",
            "lid",
            "bag",
            "can",
            "gate",
            "shop",
            "book",
            "crate",
            "safe",
            *THREE,
        )
    ),
    "notes/plants.md": "# Plants\n\nWater them on Mondays.\n\n## Roses\n\nCut the roses in spring.\n",
    "bewertungen.csv": "Nr;Titel;Bewertungstext\n"
    + "".join(
        f"{n};Gerät;{text}\n" for n, text in enumerate(("Der Akku hält lange", "Die Lieferung kam zu spät"))
    ),
    "intents.json": '[{"tag": "hours", "patterns": ["When are you open?"], "responses": ["Nine to six."]}]',
    "phrases.txt": "I forgot my password.\nHow do I reset my login?\nWhere is my parcel?\n",
}


def test_links_in_the_docs_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_make_targets_that_the_readme_names_exist():
    rules = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`make ([a-z-]+)`", (ROOT / "README.md").read_text())):
        assert re.search(rf"^{target}:", rules, re.M), target
