"""Encoders, clusters and duplicates as other libraries want them.

Each file or folder knows one library, and asks for it only when it is used.
"""
