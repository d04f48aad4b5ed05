"""How ratings and customers come in: from bytes to checked records; storing them is the store's business.

The road of a file: `source` (bytes) → `text` (lines) → `csv_records` or `json_records` (rows) → `field_map`
(which column is which field) → `scale`, `fields`, `contact` (what a value may be) → `ratings` or `customers`.
"""
