"""The commands of `nearsense index`, one file per family. Not the group itself: see cli/index.py."""
