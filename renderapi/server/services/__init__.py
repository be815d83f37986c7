"""What the server does for its clients: a module for each service of render-ws, with its endpoints."""
