"""What one rating goes through."""
