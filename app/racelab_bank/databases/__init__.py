"""What differs between databases: triggers, the horizon of committed rows, isolation, error codes."""
