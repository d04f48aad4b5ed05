"""The daily report: when it is due, what it says, that it is made once."""
