"""Vectors as rows of numbers. Not what they mean: see the verbs. Users find what they need in `nearsense.metrics`.

rows.py checks rows, cuts them into blocks and brings them to unit length; similarity.py compares two or many;
topk.py finds the best rows of many, exactly; gemm.py multiplies many with many.
"""
