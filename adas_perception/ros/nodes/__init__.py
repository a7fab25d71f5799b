"""One thin node per row of the node table."""
