"""Sources: the runner, and one contract suite for all that are shipped, against real servers."""
