"""How report.html looks: on a phone too, in light and in dark, and on paper."""

from __future__ import annotations

CSS = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --ground: #ffffff; --card: #f4f6f8; --line: #d0d7de;
  --yes: #00684a; --no: #57606a; --open: #9a4b00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa4af; --ground: #15191e; --card: #1f252c;
  --line: #3a424c; --yes: #4cc79a; --no: #9aa4af; --open: #f0a860; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem 1rem 4rem; color: var(--ink); background: var(--ground);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: .5rem 0 1rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .5rem; padding-top: .5rem; border-top: 1px solid var(--line); }
.lead { padding: .75rem 1rem; background: var(--card); border-radius: .5rem; font-weight: 600; }
.interval { white-space: nowrap; }
li { margin: .25rem 0; }
.wide { overflow-x: auto; margin: 1rem 0; border: 1px solid var(--line); border-radius: .5rem; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; min-width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .7rem; border-bottom: 1px solid var(--line); }
th { background: var(--card); font-weight: 600; }
tr:last-child td { border-bottom: 0; }
td { min-width: 5.5rem; max-width: 26rem; }
td:first-child { font-weight: 600; min-width: 8rem; }
td.yes, td.no, td.open { white-space: nowrap; }
td.yes { color: var(--yes); font-weight: 600; } td.no { color: var(--no); } td.open { color: var(--open); font-weight: 600; }
figure { margin: 1.2rem 0; }
figure img { display: block; width: 100%; height: auto; background: #ffffff; border-radius: .5rem; padding: .4rem; }
figcaption { color: var(--soft); font-size: .88rem; margin-top: .4rem; }
pre { overflow-x: auto; padding: .7rem 1rem; background: var(--card); border-radius: .5rem; font-size: .85rem; }
dt { font-weight: 600; margin-top: .7rem; } dd { margin: 0; color: var(--soft); }
@media print { body { max-width: none; } .wide { overflow: visible; } }
"""
