"""Whether what comes in is still like what came before. steps: the verb, of the files beside.

samples: what was given, as units; measured: what is compared; twosample: tests by relabelling; topics: what moved;
watching: checks made again and again; actions: what to do; results: what the verb returns.
"""

from __future__ import annotations

from nearsense.monitoring.actions import Names, actions
from nearsense.monitoring.results import Action, Drift, DriftTest, Group, Repeated
from nearsense.monitoring.steps import drift
from nearsense.monitoring.topics import Topic
from nearsense.monitoring.watching import Check

__all__ = ["Action", "Check", "Drift", "DriftTest", "Group", "Names", "Repeated", "Topic", "actions", "drift"]
