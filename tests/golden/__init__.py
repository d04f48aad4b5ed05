"""What the program says about bad input, word for word: see `case`."""
