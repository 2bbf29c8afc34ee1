"""Which posting had to come before which, and what follows: a serial order that proves itself, or a cycle that refutes.

`dependencies` builds the edges, `components` finds what cannot be ordered, `cycles` picks and tells the smallest cycle,
`certificate` concludes and `replay` performs the order again.
"""
