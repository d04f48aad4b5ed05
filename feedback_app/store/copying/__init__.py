"""A whole ledger taken from one database to another: in steps that survive any end of the program, then compared."""
