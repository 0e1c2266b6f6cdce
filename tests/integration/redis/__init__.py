"""Redis as people run it: refusing, away, failing over, behind TLS and rights."""
