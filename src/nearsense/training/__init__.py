"""Models that learn from examples: what examples are, how a model learns, whether it got better, its folder.

torch and what stands on it are known to `trainer.py` alone.
"""
