"""Owns a bar chart as SVG text: one figure, a logarithmic axis, readable without colour; refuses any dependency."""

import math
from xml.sax.saxutils import escape

WIDTH, ROW, LEFT, RIGHT = 720, 26, 120, 90


def svg(title: str, note: str, groups: dict[str, dict[str, float]]) -> str:
    """Horizontal bars by group, then name; values above zero."""
    values = [v for bars in groups.values() for v in bars.values() if v > 0]
    low = 10 ** math.floor(math.log10(min(values))) if values else 1
    high = max(values, default=10)
    span = max(math.log10(high / low), 0.1)
    body: list[str] = []
    y = 58
    for group, bars in groups.items():
        body.append(f'<text x="12" y="{y + 16}" font-weight="600">{escape(group)}</text>')
        y += ROW
        for name, value in bars.items():
            width = max(2.0, (WIDTH - LEFT - RIGHT) * math.log10(max(value, low) / low) / span)
            colour = "#0b7a5b" if name == "farebox" else "#9aa5b1"
            body.append(f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(name)}</text>')
            body.append(f'<rect x="{LEFT}" y="{y + 3}" width="{width:.1f}" height="16" fill="{colour}" rx="2"/>')
            body.append(f'<text x="{LEFT + width + 6:.1f}" y="{y + 15}">{value:,.0f}</text>')
            y += ROW - 4
        y += 8
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 10}" width="{WIDTH}" height="{y + 10}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="13" fill="#1f2933">'
    )
    head += '<rect width="100%" height="100%" fill="#fff"/>'
    head += f'<text x="12" y="24" font-size="17" font-weight="700">{escape(title)}</text>'
    head += f'<text x="12" y="44" fill="#52606d">{escape(note)}</text>'
    return head + "".join(body) + "</svg>\n"
