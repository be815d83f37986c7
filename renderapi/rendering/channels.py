"""Which channels are drawn, and how much of each."""

from __future__ import annotations

import math

from renderapi.rendering.errors import RenderParametersError
from renderapi.utils import java_double


def channel_weights(text: str) -> dict[str, float]:
    """Read names of channels and their weights.

    Parameters
    ----------
    text : str
        ``NAME`` or ``NAME__weight__NAME__weight``.

    Returns
    -------
    dict of str to float
        The weight of each, in the order of the text; one channel alone has all.

    Raises
    ------
    RenderParametersError
        If a weight is no number, or the sum of all is above 1.

    Examples
    --------
    >>> channel_weights("DAPI__0.25__GFP__0.5")
    {'DAPI': 0.25, 'GFP': 0.5}
    >>> channel_weights("DAPI")
    {'DAPI': 1.0}
    """
    parts = text.split("__")
    if len(parts) == 1:
        return {text: 1.0}
    weights: dict[str, float] = {}
    for name, number in zip(parts[::2], [*parts[1::2], ""] if len(parts) % 2 else parts[1::2]):
        try:
            weight = float(number)
            if not math.isfinite(weight):
                raise ValueError
        except ValueError:
            raise RenderParametersError(f'For input string: "{number}"') from None
        if sum(weights.values()) + weight > 1.0:
            current = ", ".join(f"{known}={java_double(value)}" for known, value in weights.items())
            raise RenderParametersError(
                f"Channel {name} weight {java_double(weight)} is too large.  The sum of all weights must be "
                f"less than or equal to 1.0.  Current weights are: {{{current}}}"
            )
        weights[name] = weight
    return weights
