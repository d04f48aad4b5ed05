"""What `feedback-app doctor` finds."""
