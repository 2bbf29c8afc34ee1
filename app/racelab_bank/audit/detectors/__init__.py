"""One file per anomaly: its rule and source, what it yields, and how it is told. `audit.registry` finds them."""
