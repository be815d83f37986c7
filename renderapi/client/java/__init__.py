"""Running the Java clients: their words, options and scripts, and whether they did what was asked."""
