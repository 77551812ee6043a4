"""Models of one's own by the command: listed where they lie, described, an adapter merged into its model."""

from __future__ import annotations

import json

import nearsense as ns
from samples import tiny_bert

ROWS = [(f"w{label} {letter} {other}", letter) for label in range(5) for letter in "abcdef" for other in "xyz"]


def test_the_command_merges_a_folder_and_the_list_and_the_card_know_it(tmp_path, run, monkeypatch):
    parent = tiny_bert(tmp_path / "parent")
    monkeypatch.chdir(tmp_path)
    ns.train_adapter(ROWS, encoder=str(parent), kind="classes", output=tmp_path / "mine")
    done = run("models", "merge", "./mine", "-o", "merged")
    assert (done.code, done.out) == (0, "")
    assert "merged: mine, merged into its model" in done.err
    again = run("models", "merge", "./mine", "-o", "merged")
    assert again.code == 2
    assert "there already" in again.err
    known = {each["name"]: each for each in json.loads(run("models", "--json").out)}
    assert (known["./mine"]["made"], known["./mine"]["parent"]) == ("adapter", "parent")
    assert known["./merged"]["made"] == "adapter, merged"
    assert known["./mine"]["dimension"] == 32
    card = json.loads(run("models", "card", "./mine", "--json").out)
    assert card["learnt"].startswith("a linear map: accuracy of the nearest centroid")
    assert card["bands"]["tasks"]["class"]["from"] == "folder"
    assert card["max_tokens"] == 48
