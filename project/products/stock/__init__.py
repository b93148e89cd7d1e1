"""Stock: what the ledger adds up to, always."""
