"""How the bank and the auditor are served: gunicorn, configured in code, and what stands beside its workers."""
