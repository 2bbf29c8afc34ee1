"""Isolation levels, performed: Hermitage's anomalies as scripts of two or three transactions, on real PostgreSQL.

```
anomalies/      one file each: a script, what it takes to call the anomaly shown, what PostgreSQL is expected to do
script.py       steps of transactions                           values
performing.py   a script at a level ──▶ what was observed       connections, the only edge besides scratch.py
outcome.py      what was observed ──▶ shown, or prevented how   pure
notation.py     what was observed ──▶ text                      pure
cli.py          `racelab-bank isolation`
```

Sources: A. Adya, Weak Consistency (PhD thesis, MIT, 1999); H. Berenson et al., A Critique of ANSI SQL Isolation Levels
(SIGMOD 1995); P. Bailis et al., Highly Available Transactions (VLDB 2014); M. Kleppmann, Hermitage
(https://github.com/ept/hermitage), which named this collection and whose scripts these follow.
"""
