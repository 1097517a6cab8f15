"""How a report looks, on screen and printed."""

from __future__ import annotations

STYLE = """
:root { --ink: #1d2730; --soft: #5f6b77; --line: #dfe4ea; --paper: #ffffff; --back: #f4f6f8;
  --blue: #1f6fb2; --good: #1c7c4a; --bad: #b03a2e; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 36px 40px 48px; background: var(--paper);
  min-height: 100vh; }
h1 { font-size: 28px; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 20px; margin: 38px 0 12px; padding-bottom: 6px;
  border-bottom: 1px solid var(--line); }
h3 { font-size: 15px; margin: 22px 0 6px; }
.subtitle { color: var(--soft); margin: 0 0 22px; }
.chip { display: inline-block; color: white; background: var(--soft); border-radius: 4px;
  padding: 1px 9px; margin-right: 10px; font-weight: 600; font-size: 13px; }
.chip.ok { background: #2f9e5b; } .chip.doubtful { background: #c27c12; }
.chip.failed { background: var(--bad); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(160px, 1fr)); gap: 12px; }
.tile { border: 1px solid var(--line); border-radius: 8px; padding: 12px 14px; }
.tile .label { color: var(--soft); font-size: 13px; }
.tile .value { font-size: 26px; font-weight: 600; line-height: 1.25; }
.tile .value small { font-size: 14px; font-weight: 400; color: var(--soft); }
.tile .change { color: var(--soft); font-size: 13px; }
.notes { background: #eef4fa; border-left: 3px solid var(--blue); border-radius: 4px;
  margin: 18px 0 0; padding: 10px 14px 10px 32px; }
.warning { background: #fdf3e3; border-left: 3px solid #c27c12; border-radius: 4px;
  padding: 8px 14px; margin: 4px 0 10px; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr));
  gap: 18px; }
figure { margin: 0; }
figure img { width: 100%; display: block; border-radius: 6px; background: #111; }
figcaption { color: var(--soft); font-size: 13px; margin-top: 5px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 5px 10px 5px 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { color: var(--soft); font-weight: 500; font-size: 13px; }
.n { text-align: right; padding-right: 16px; white-space: nowrap; }
.strong { font-weight: 600; } .better { color: var(--good); } .worse { color: var(--bad); }
.numbers td:first-child { width: 190px; } .numbers .n { width: 88px; }
.tip { color: var(--soft); font-size: 13px; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 28px;
  align-items: start; }
.chart { margin-bottom: 18px; } .chart svg { width: 100%; height: auto; }
.dot { display: inline-block; width: 11px; height: 11px; border-radius: 50%; margin-right: 8px; }
details { margin-bottom: 10px; } summary { cursor: pointer; font-weight: 600; }
.provenance td:first-child { color: var(--soft); width: 36%; }
code { font-size: 12.5px; overflow-wrap: anywhere; }
footer { margin-top: 36px; color: var(--soft); font-size: 13px; }
@media print { main { padding: 0; max-width: none; } figure, tr { break-inside: avoid; } }
"""
