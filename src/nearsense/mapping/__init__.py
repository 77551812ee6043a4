"""Texts in the plane: where each lies, in what colour, under what name. Not how it is drawn: see pages/."""
