"""How good is the model on one's own pairs, what do words alone reach, and where is it wrong?"""

import os
from pathlib import Path

import nearsense as ns
from nearsense.files import write_table

pairs = [
    ("The dashboard freezes after login", "The dashboard hangs once I log in", 5),
    ("Please refund my last invoice", "I want my money back for the invoice", 4),
    ("Where is my parcel?", "The parcel has been delivered", 2),
    ("It is raining", "Rain is falling", 5),
    ("Enable two-factor authentication", "Disable two-factor authentication", 1),
    ("A dog barks", "The law was passed", 0),
    ("He plays the piano", "She plays the flute", 2),
    ("We ship in two days", "The moon is full", 0),
]
write_table("pairs.csv", [{"a": a, "b": b, "score": score} for a, b, score in pairs])

result = ns.evaluate(None, "pairs.csv", errors=2)
print(result)
for mistake in result.system().mistakes:
    print(f"said {mistake.prediction}, right is {mistake.truth}: {' | '.join(mistake.texts)}")

benchmark = Path(os.environ.get("NEARSENSE_DATA", "data")) / "stsb/en-dev.jsonl.gz"
if benchmark.is_file():
    print(ns.evaluate(None, benchmark))
