"""The same job done by other job queues and by the article's pool. Workers import from here: it stays light."""
