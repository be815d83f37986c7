"""CoordinateService: from the pixels of a tile to the world and back."""

from __future__ import annotations

from renderapi.server.endpoint import Service

service = Service("CoordinateService", "Coordinate mapping")
