"""Running the Java clients: their words, options, scripts and files, and whether they did what was asked."""
