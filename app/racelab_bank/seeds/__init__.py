"""The HTTP endpoints of the systems that this lab descends from: their own clients run here unchanged.

One small module per system. Each translates the system's form into a posting of one of our scenarios, lets one of our
strategies apply it, and answers in the system's own words. No race is written here a second time: what these systems
lose, they lose by the strategies that the experiments judge, and the ledger knows whom it hit.

All of it happens on the run `playground`. Amounts are whole units there (100 is 10,000 cents). docs/history.md tells
what each system showed, and how to show it again with the client it came with.
"""
