"""Flower, read-only: which workers there are, and the attempts at jobs as they end.

It keeps what it hears in memory, so it knows nothing from before its own start; the API knows all jobs. It writes
nothing to Redis and asks workers nothing: they tell what happens without being asked (heavylift/flower.py).
"""
