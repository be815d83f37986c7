"""How requests come in and answers go out: the application, how endpoints are declared, and ways of running."""
