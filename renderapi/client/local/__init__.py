"""What the Java clients do, done here: on arrays, and over REST in batches."""
