"""Heavylift measured beside other task queues, on one machine, in one run: `make bench`."""
