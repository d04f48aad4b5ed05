"""The ledger on a PostgreSQL server: many daemons, each with leases on what it has in hand."""
