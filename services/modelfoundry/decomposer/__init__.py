"""The service that takes trained models apart, and trains them for those who have none."""
