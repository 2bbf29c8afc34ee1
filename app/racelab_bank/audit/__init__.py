"""The audit: a pure function of rows and history. It knows neither Django nor a database nor a socket.

`history` holds the values, `timeline` puts one account's versions in order, `groups` knows which accounts back each
other, `drift` checks the sums, `detectors/` finds anomalies, `reconciliation` compares ledger and histories, `report`
concludes. `live` follows a run while load runs, `live_account` is what it remembers of each account.
"""
