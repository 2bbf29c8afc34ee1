"""How operations arrive at the target: one file per arrival, found by the registry."""
