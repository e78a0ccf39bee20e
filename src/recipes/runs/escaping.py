"""Text of any origin, made fit for XML and HTML."""

import html

# Control characters, which XML cannot hold, become their pictures; half a pair, a replacement.
_PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"}
_CLEAN = {**_PICTURES, 0x7F: 0x2421, **dict.fromkeys([*range(0x80, 0xA0), 0xFFFE, 0xFFFF], 0xFFFD)}


def escaped(text: object) -> str:
    r"""Escape a text for the content or an attribute of an element.

    Example:
        >>> escaped('a < "b" & \x00')
        'a &lt; &quot;b&quot; &amp; ␀'
    """
    # A name in another encoding than the system's holds lone surrogates.
    clean = str(text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return html.escape(clean.translate(_CLEAN))


def shortened(text: str, length: int) -> str:
    """Cut a text to a length.

    Example:
        >>> shortened("shakespeare-char", 10)
        'shakespea…'
    """
    return text if len(text) <= length else text[: length - 1] + "…"
