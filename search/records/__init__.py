"""Messages between engine and worker, the ledger protocol, and events."""
