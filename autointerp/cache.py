"""Where what can be made again is kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(*parts: str) -> Path:
    """A folder under AUTOINTERP_CACHE, or else under the user's cache folder; it may not exist yet.

    >>> cache_folder("stores").parts[-2:]  # doctest: +SKIP
    ('autointerp', 'stores')
    """
    own = os.environ.get("AUTOINTERP_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "autointerp"
    return (Path(own) if own else base).joinpath(*parts)
