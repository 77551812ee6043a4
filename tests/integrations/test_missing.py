"""An integration without its library says what to type; the core knows none of them."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

LIBRARIES = {
    "langchain": "langchain_core",
    "llama_index": "llama_index",
    "haystack": "haystack",
    "llm": "llm",
    "pandas": "pandas",
    "sklearn": "sklearn",
}

CODE = """
import importlib, json, sys
import nearsense as ns, nearsense.integrations
libraries = json.loads(sys.argv[1])
loaded = sorted({*libraries.values()} & {*sys.modules})
sys.modules.update(dict.fromkeys(libraries.values()))
said = {}
for name in libraries:
    try:
        importlib.import_module(f"nearsense.integrations.{name}")
    except ns.errors.MissingExtra as error:
        said[name] = error.fix
print(json.dumps([loaded, said]))
"""


def test_a_missing_library_is_named_with_the_extra_that_brings_it():
    done = subprocess.run([sys.executable, "-c", CODE, json.dumps(LIBRARIES)], capture_output=True, text=True)
    loaded, said = json.loads(done.stdout)
    assert loaded == []
    assert said == {name: f"pip install 'nearsense[{name.replace('_', '-')}]'" for name in LIBRARIES}
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert {name.replace("_", "-") for name in LIBRARIES} <= project["optional-dependencies"].keys()
