"""Vectors as rows of numbers. Not what they mean: see the verbs. For users: `nearsense.metrics`."""
