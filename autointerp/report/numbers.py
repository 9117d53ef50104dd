"""Numbers as the page prints them: digits line up in columns, minus signs are as wide as plus signs."""

from __future__ import annotations

_MINUS = "\N{MINUS SIGN}"


def fixed(number: float, digits: int = 2) -> str:
    """With so many decimals, and no sign on what rounds to zero.

    >>> fixed(-0.5)
    '−0.50'
    """
    return f"{round(number, digits) + 0.0:.{digits}f}".replace("-", _MINUS)


def signed(number: float) -> str:
    """Three decimals and always a sign.

    >>> signed(0.0412)
    '+0.041'
    """
    return f"{number:+.3f}".replace("-", _MINUS)


def short(number: float) -> str:
    """Three significant digits.

    >>> short(12.3456)
    '12.3'
    """
    return f"{number:.3g}"


def percent(share: float) -> str:
    """Two significant digits.

    >>> percent(0.00123)
    '0.12%'
    """
    return f"{100 * share:.2g}%"
