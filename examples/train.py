"""A model of medical phrases: fine-tuned on graded pairs, saved, opened without torch, and used for a search."""

import tempfile
from pathlib import Path

import nearsense as ns

ALIKE = [
    ("myocardial infarction", "heart attack"),
    ("hypertension", "high blood pressure"),
    ("cerebrovascular accident", "stroke"),
    ("renal calculi", "kidney stones"),
    ("dyspnea", "shortness of breath"),
    ("cephalalgia", "headache"),
    ("pyrexia", "fever"),
    ("varicella", "chickenpox"),
    ("epistaxis", "nosebleed"),
    ("pruritus", "itching"),
    ("syncope", "fainting"),
    ("hepatic steatosis", "fatty liver"),
]
sides = list(zip(*ALIKE, strict=True))
pairs = [(term, plain, 1.0) for term, plain in ALIKE]
pairs += [(term, sides[1][(place + 3) % len(ALIKE)], 0.1) for place, (term, _) in enumerate(ALIKE)]

folder = Path(tempfile.mkdtemp()) / "medical"
report = ns.train(pairs, output=folder, steps=4, batch=8, lr=5e-5, dev=False, test=False)
print(f"{report.parent} learnt from {report.examples} {report.kind} pairs: {report.loss}, {report.steps} steps")

medical = ns.load(str(folder))  # a folder like any other model's
for name, encoder in (("before", None), ("after", medical)):
    scores = [ns.compare(term, plain, encoder=encoder).score for term, plain in ALIKE]
    print(f"{name}: mean score of terms and plain words {sum(scores) / len(scores):.2f}")
for hit in ns.search("my nose is bleeding", sides[0], encoder=medical, k=3):
    print(f"  {hit.text}")
