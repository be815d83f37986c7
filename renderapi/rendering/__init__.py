"""The pixels of render-ws: render parameters in, arrays out."""

from renderapi.rendering._errors import ImageSourceError, RenderParametersError

__all__ = ["ImageSourceError", "RenderParametersError"]
