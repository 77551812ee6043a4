"""distill: the command, and what it says."""

from __future__ import annotations

import json

import numpy as np

import nearsense as ns
from samples import tiny_bert


def test_the_command_makes_a_model_and_says_what_it_costs(tmp_path, run):
    chance = np.random.default_rng(0)
    file = tmp_path / "texts.txt"
    file.write_text("\n".join({" ".join(chance.choice([f"w{n}" for n in range(60)], 5)) for _ in range(400)}))
    parent, fast = tiny_bert(tmp_path / "parent"), tmp_path / "fast"
    done = run("distill", parent, "--texts", file, "-o", fast, "-q", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["texts"] > 350
    assert found["likeness"] > 0.8
    assert ns.load(str(fast)).dimension == 32
    again = run("distill", parent, "--texts", file, "-o", fast)
    assert (again.code, "there already" in again.err) == (2, True)
