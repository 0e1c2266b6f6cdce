"""The cluster as the place where workers run: what is seen of it, and the few things that are written to it."""
