"""A fast model made of a slow one and of texts of yours: no labels, and nothing to run but a table."""

from __future__ import annotations

import tempfile

import nearsense as ns

THINGS = ["screen", "keyboard", "printer", "mouse", "battery", "charger", "speaker", "camera", "router", "phone"]
SAID = [
    "My {} does not work any more",
    "The {} is broken",
    "Where do I get a new {}?",
    "How much is the {}?",
    "I want my money back for the {}",
    "Has the {} been sent yet?",
    "Can I return the {}?",
]
ENDS = ["", " Please help.", " It is urgent.", " Thank you!"]
texts = [said.format(thing) + end for said in SAID for thing in THINGS for end in ENDS]

with tempfile.TemporaryDirectory() as folder:
    made = ns.distill("all-MiniLM-L6-v2", texts, output=f"{folder}/fast")
    print(made)
    fast = ns.load(f"{folder}/fast")
    for name, model in (("the model", None), ("the table", fast)):
        print(f"{name} finds:")
        for hit in ns.search("the broken camera", texts, encoder=model, k=2):
            print(f"  {hit.text}")
