"""Neural networks behind one small protocol."""
