"""Interfaces to what renderapi can use but does not bring along."""

from renderapi.external import processpools

__all__ = ["processpools"]
