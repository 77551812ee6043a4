"""Pairs of sentences, and a matrix of phrases."""

import nearsense as ns

pairs = [
    ("A dog is playing in the park.", "A puppy is running outside."),
    ("Python is a popular programming language.", "Many developers use Python for data science."),
    ("She loves reading mystery novels.", "The weather forecast shows heavy rain."),
]
for comparison in ns.compare_pairs(pairs):
    print(comparison, "|", comparison.a, "|", comparison.b)

print(ns.matrix(["I forgot my password.", "How do I reset my login?", "Where is my parcel?"]))
