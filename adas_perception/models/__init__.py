"""Networks, training data, training, export."""
