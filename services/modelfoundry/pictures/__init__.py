"""How pictures become pixels, wherever they enter: data sets, predictions, and the folders that exports go in."""
