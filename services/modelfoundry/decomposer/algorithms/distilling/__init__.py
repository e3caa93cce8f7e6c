"""What algorithms share that learn from the base instead of from labels: its answers, which are drawn, and a loss."""
