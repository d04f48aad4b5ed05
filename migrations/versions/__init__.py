"""One file per step of the schema, each works with the program version before it."""
