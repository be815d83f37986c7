"""What is kept in SQLite, and the only place with SQL."""
