"""What the tests of scaling share: an installation of several small pools, what is seen of it, and what breaks it."""
