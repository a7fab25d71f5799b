"""Looking at the running stack: ``adas top`` in the terminal, ``adas view`` in Rerun; neither says a word to it."""
