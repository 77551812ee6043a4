"""Vectors to pairs that are near: all of them, exactly, in bounded memory. Not what is done with the pairs."""

from nearsense.mining.neighbours import mine_approximately, nearest
from nearsense.mining.pairs import NearPairs, mine

__all__ = ["NearPairs", "mine", "mine_approximately", "nearest"]
