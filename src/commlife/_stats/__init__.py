"""Statistics that several rooms share, over NumPy and SciPy."""
