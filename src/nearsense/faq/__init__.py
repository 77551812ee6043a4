"""The FAQ: questions with answers in, an answer or an honest silence out. How sure it is, is its own measurement.

entries.py says what an entry is and where it comes from, nearness.py how near a question is to each, certainty.py
how sure that makes, answers.py what is said to a question; faq.py joins them.
"""

from nearsense.faq.answers import Answer, Gap, Outcome
from nearsense.faq.certainty import AnswerThreshold
from nearsense.faq.entries import FAQItem
from nearsense.faq.faq import FAQ

__all__ = ["FAQ", "Answer", "AnswerThreshold", "FAQItem", "Gap", "Outcome"]
