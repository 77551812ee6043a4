"""Made vectors for tests of groups."""

import numpy as np


def blobs(groups=8, each=40, spread=0.6, seed=0, dimension=32):
    """Unit rows around some directions, and which direction each is of."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((groups, dimension))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    truth = np.repeat(np.arange(groups), each)
    rows = centres[truth] + spread * random.standard_normal((len(truth), dimension)) / np.sqrt(dimension)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), truth


def sets(labels):
    """The groups as sets of row numbers, noise apart."""
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist()) if label >= 0}


def shuffles(rows, group, count):
    """What `group` makes of the rows in some orders, each as sets of the original row numbers."""
    for seed in range(count):
        order = np.random.default_rng(seed).permutation(len(rows))
        labels = np.empty(len(rows), np.int64)
        labels[order] = group(rows[order]).labels
        yield labels


def sizes(found):
    """How many rows each group of a partition has, the first group first."""
    return np.bincount(found.labels[found.labels >= 0], minlength=len(found.centroids)).tolist()
