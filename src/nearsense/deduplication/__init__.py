"""What is said twice in many texts, and which rows could go. Not the mining of near vectors: see mining/."""

from nearsense.deduplication.edges import Tier
from nearsense.deduplication.result import Dropped, Duplicates, Group, Pair
from nearsense.deduplication.steps import MIN_PROBABILITY, duplicates

__all__ = ["MIN_PROBABILITY", "Dropped", "Duplicates", "Group", "Pair", "Tier", "duplicates"]
