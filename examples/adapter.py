"""Teach a model what counts as near for you: here what a customer wants, not which product it is about."""

from __future__ import annotations

import tempfile
from itertools import pairwise

import nearsense as ns

PRODUCTS = ["toaster", "kettle", "lamp", "radio", "camera", "printer", "heater", "mixer", "drill", "saw"]
WANTED = [
    "I want my money back for the {}.",
    "The {} does not start any more, can you mend it?",
    "Where do I get a new cable for the {}?",
    "The {} has not arrived yet.",
]

pairs = []
for one, other in zip(PRODUCTS[::2], PRODUCTS[1::2], strict=True):
    pairs += [(wish.format(one), wish.format(other), 1) for wish in WANTED]
    pairs += [(a.format(each), b.format(each), 0) for each in (one, other) for a, b in pairwise(WANTED)]

with tempfile.TemporaryDirectory() as folder:
    adapter = ns.train_adapter(pairs, output=f"{folder}/wishes")
    print(adapter)
    asked, wish, product = (
        "I want my money back for the sofa.",
        "Please refund the clock.",
        "Is the sofa comfortable?",
    )
    for model in (ns.load(), adapter.encoder):
        same_wish, same_product = (ns.compare(asked, other, encoder=model).score for other in (wish, product))
        print(f"{model.name}: the same wish {same_wish:.2f}, the same product {same_product:.2f}")
    if adapter.better:
        with ns.open(f"{folder}/mails.nearsense") as mails:
            mails.add(list(dict.fromkeys(text for pair in pairs for text in pair[:2])))
            print(mails.compare_models(f"{folder}/wishes", [asked, wish]))
            print(mails.reembed(f"{folder}/wishes"))
