"""The ledger as one SQLite file: one daemon, one writer, commands beside it."""
