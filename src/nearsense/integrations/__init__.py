"""Encoders as other libraries want them. Each file knows one library, and asks for it only when it is used."""
