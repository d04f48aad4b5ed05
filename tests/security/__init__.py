"""What somebody tries who means harm, and what becomes of it."""
