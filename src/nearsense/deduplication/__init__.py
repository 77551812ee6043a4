"""What is said twice in many texts, and which rows could go. Not the mining of near vectors: see mining/."""

from nearsense.deduplication.finding import MIN_PROBABILITY, duplicates
from nearsense.deduplication.found import Duplicates
from nearsense.deduplication.results import Dropped, Group, Pair, Tier

__all__ = ["MIN_PROBABILITY", "Dropped", "Duplicates", "Group", "Pair", "Tier", "duplicates"]
