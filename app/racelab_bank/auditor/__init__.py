"""The auditor: opens and closes runs, keeps the gate, stores histories, audits. The same Django project, other URLs."""
