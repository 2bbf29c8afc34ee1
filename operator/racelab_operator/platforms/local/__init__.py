"""The lab on this machine: PostgreSQL, the edge, the auditor and the bank's replicas as child processes.

Import `LocalLab` from `lab`, `LabError` from `errors`, `current_lab` and `stop_lab` from `state`, `PostgreSQL` from
`postgresql`: the guard runs from this package too and must start without what it does not need.
"""
