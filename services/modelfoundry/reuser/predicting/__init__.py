"""Predictions: networks kept in memory, and images as they take them."""
