"""What services stand on: how endpoints are declared and refuse, and what their handlers are given."""
