"""How a message leaves: claimed from the outbox, sent by a plugin, its outcome recorded."""
