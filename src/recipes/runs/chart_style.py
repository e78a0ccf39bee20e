"""Colours and fonts of charts, in light and dark, on a page or a phone."""

# Size of the font where a chart is narrow, in units of its view box.
FONT = 22
# Pairs for light and dark ground; people with any vision of colours tell neighbours apart.
COLORS = (
    *(("#1f6fd6", "#5aa2f5"), ("#d1480c", "#f58549"), ("#12805c", "#3cc094")),
    *(("#8a3fc7", "#bf8cf0"), ("#a86e00", "#e3b341"), ("#c4265f", "#f57fa8")),
    *(("#0b7f93", "#42c3d9"), ("#5f6470", "#a9afbc")),
)
# Lines of one colour differ in these.
DASHES = ("", "7 4", "2 4")

_LIGHT = "".join(f"--c{place}:{light};" for place, (light, _) in enumerate(COLORS))
_DARK = "".join(f"--c{place}:{dark};" for place, (_, dark) in enumerate(COLORS))
STYLE = f"""
.chart{{--ground:#fff;--ink:#1c1e21;--quiet:#5a6069;--grid:#e3e6ea;{_LIGHT}
max-width:100%;height:auto;font-family:system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}}
.chart .ground{{fill:var(--ground)}}
.chart text{{font-size:13px;fill:var(--quiet);font-variant-numeric:tabular-nums}}
.chart .title{{font-size:16px;font-weight:600;fill:var(--ink)}}
.chart .key{{fill:var(--ink)}}
.chart .grid{{stroke:var(--grid)}}
.chart .axis{{fill:none;stroke:var(--quiet)}}
.chart .curve{{fill:none;stroke-width:2.25;stroke-linejoin:round;stroke-linecap:round}}
.chart .faint{{stroke-width:1.25;opacity:.6}}
.chart .point{{stroke:var(--ground);stroke-width:1.5}}
.chart .best{{fill:var(--ground);stroke-width:2.5}}
@media (max-width:480px){{.chart text,.chart .title{{font-size:{FONT}px}}
.chart .curve{{stroke-width:3.5}}.chart .faint{{stroke-width:2}}}}
@media (prefers-color-scheme:dark){{
.chart{{--ground:#15171a;--ink:#eceef1;--quiet:#a3aab4;--grid:#2c3036;{_DARK}}}}}
"""
