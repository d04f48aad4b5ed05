"""Alembic's migrations of the ledger; installed as feedback_app.migrations."""
