"""Every command that writes a score writes its probability, the interval of that, and what differs."""

from __future__ import annotations

import csv
import io
import json

import nearsense as ns
from turns import in_turn

OPPOSITES = "How do I enable two-factor login?", "How do I disable two-factor login?"


def commands(folder):
    """Every command that gives probabilities, and its words."""
    a, b = OPPOSITES
    texts, faq = folder / "texts.csv", folder / "faq.csv"
    texts.write_text(f"id,text\n1,{b}\n2,{a}\n3,Where is my parcel?\n")
    faq.write_text(f"question,answer\n{b},Off.\nWhere is my parcel?,There.\n")
    with ns.open(folder / "c.nearsense") as there:
        there.add([ns.Document("1", b), ns.Document("2", a)])
    return {
        "compare": (a, b),
        "rank": (a, texts),
        "search": (texts, a),
        "index search": (folder / "c.nearsense", a),
        "index similar": (folder / "c.nearsense", "2"),
        "duplicates": (texts, "--min-probability", "0"),
        "faq": (faq, a),
        "explain": (a, b),
        "matrix": (texts, "--probabilities"),
    }


@in_turn(
    "command",
    ["compare", "rank", "search", "index search", "index similar", "duplicates", "faq", "explain", "matrix"],
)
def test_every_command_writes_probability_interval_and_what_differs(run, tmp_path, command):
    words = commands(tmp_path)[command]
    told = run(*command.split(), *words, "--json").out
    assert "antonym: " in told
    assert '"differs"' in told
    assert ('"interval"' in told) or command == "matrix"
    if command in ("matrix", "explain"):
        return
    records = [json.loads(line) for line in run(*command.split(), *words).out.splitlines()]
    rows = list(csv.DictReader(io.StringIO(run(*command.split(), *words, "--csv").out)))
    for record in [*records, *rows]:
        assert {"probability", "interval", "differs"} <= set(record)
    assert any("antonym" in str(record["differs"]) for record in records)
    assert any("antonym" in row["differs"] for row in rows)
