"""Vectors to pairs that are near: all of them, exactly, in bounded memory. Not what is done with the pairs."""

from nearsense.mining.approximate import mine_approximately
from nearsense.mining.mine import mine
from nearsense.mining.mined import Mined
from nearsense.mining.neighbours import nearest

__all__ = ["Mined", "mine", "mine_approximately", "nearest"]
