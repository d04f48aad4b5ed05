"""The ledger: tables, engines, the group-commit writer, queries. The only importer of SQLAlchemy."""
