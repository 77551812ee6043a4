"""The FAQ: questions with answers in, an answer or an honest silence out. How sure it is, is its own measurement.

items.py and reading.py say what an entry is and where it comes from; labels.py what users asked; scores.py how
near a question is to each entry; certainty.py turns scores into probabilities; rehearsal.py lets a FAQ ask itself,
and learns from that; threshold.py says from where on to answer; unanswered.py keeps and groups what got no answer;
room.py joins them.
"""

from nearsense.faq.answers import Answer, Gap, Outcome
from nearsense.faq.entries import FAQItem
from nearsense.faq.faq import FAQ
from nearsense.faq.threshold import AnswerThreshold

__all__ = ["FAQ", "Answer", "AnswerThreshold", "FAQItem", "Gap", "Outcome"]
