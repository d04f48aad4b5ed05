"""The daily report: when it is due, its figures, how it looks, and making it exactly once per local day."""
