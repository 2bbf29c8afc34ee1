"""The audit: a pure function of rows and history. It knows neither Django nor a database nor a socket.

Values and columns: `rows` holds single values, `columns` and `tables` many of them, `history` all of a run, and the
indexes that are built once: `versions` puts each account's balances in order, `postings` and `keys` know what belongs
together, `groups` which accounts back each other, `sums` what they hold.

Conclusions: `drift` and `chain` check the identity, `detectors/` find anomalies (`registry`), `graph/` orders
operations or refutes that, `interleaving/` draws them, `reconciliation` compares ledger and histories, `report`
concludes. `live` follows a run while load runs, `live_account` is what it remembers of each account. `jsonl/` reads and
writes histories as files.
"""
