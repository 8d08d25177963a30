#include "trainer/report/report_style.h"

#include <fmt/format.h>

namespace entune {

std::string series_style(std::size_t index) {
  constexpr std::size_t kNumColours = 8;
  return fmt::format("series-{}{}", index % kNumColours, (index / kNumColours) % 2 ? " dashed" : "");
}

std::string_view report_style() {
  return R"css(
:root {
  color-scheme: light dark;
  --page: #ffffff; --panel: #f6f7f9; --ink: #1b1f24; --soft: #5b6470; --rule: #d9dde3; --grid: #e7eaee; --accent:
  #0b5cad;
  --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #b5569b; --c4: #8a6d00; --c5: #3aa0d8; --c6: #6b4fbb; --c7:
  #5f6a75;
  --boundary: #e69f00; --type: #b5569b; --both: #8c6bb1; --missed: #0072b2; --spurious: #d55e00; --good: #12744a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --panel: #1c2026; --ink: #e6e9ed; --soft: #9aa4b0; --rule: #343b44; --grid: #2a3038; --accent:
  #6cb2f5;
    --c0: #4aa8e8; --c1: #f08a4b; --c2: #35c79b; --c3: #d98bc3; --c4: #d4b13c; --c5: #86cdf5; --c6: #a995ee; --c7:
  #a3adb8;
    --boundary: #f0b73c; --type: #d98bc3; --both: #b79ce0; --missed: #4aa8e8; --spurious: #f08a4b; --good: #57c794;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI",
  Roboto,
  "Helvetica Neue", "Noto Sans", Arial, sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 36px 28px 72px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 20px; margin: 48px 0 6px; padding-top: 18px; border-top: 1px solid var(--rule); letter-spacing:
  -0.005em; }
h3 { font-size: 15px; margin: 26px 0 4px; }
p { margin: 6px 0 12px; max-width: 100ch; }
.soft, caption, figcaption { color: var(--soft); }
.facts { display: flex; flex-wrap: wrap; gap: 12px; margin: 22px 0 0; padding: 0; list-style: none; }
.facts li { background: var(--panel); border: 1px solid var(--rule); border-radius: 8px; padding: 10px 16px;
  min-width: 140px; flex: 1 1 auto; }
.facts b { display: block; font-size: 22px; line-height: 1.25; font-variant-numeric: tabular-nums; }
.facts span { color: var(--soft); font-size: 13px; }
.scroll { overflow-x: auto; margin: 10px 0 14px; }
table { border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: 6px 10px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--grid); }
th { white-space: normal; line-height: 1.25; font-weight: 600; color: var(--soft); border-bottom: 1px solid
  var(--rule); vertical-align: bottom; }
th:first-child, td:first-child, .left { text-align: left; }
td:first-child { font-weight: 600; }
td.wrap { white-space: normal; min-width: 44ch; }
tr.mean td { background: var(--panel); font-style: italic; font-weight: 400; }
td .interval { color: var(--soft); }
td.best { color: var(--good); font-weight: 700; }
td .meter { display: block; height: 4px; margin-top: 3px; border-radius: 2px; background: var(--grid); min-width:
  64px; }
td .meter i { display: block; height: 4px; border-radius: 2px; }
figure { margin: 14px 0; max-width: 920px; }
svg { width: 100%; height: auto; display: block; font-family: inherit; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); gap: 8px 26px; }
.charts h3 { margin: 12px 0 4px; }
.grid { stroke: var(--grid); } .axis { stroke: var(--soft); }
.tick { fill: var(--soft); font-size: 11px; } .label { fill: var(--ink); font-size: 12px; } .value { fill:
  var(--ink); font-size: 11px; }
.whisker { stroke: var(--ink); stroke-width: 1.4; fill: none; }
.line path { fill: none; stroke-width: 1.8; stroke-linejoin: round; } .line.dashed path { stroke-dasharray: 5 3; }
.line circle { stroke: none; }
.series-0 { --c: var(--c0); } .series-1 { --c: var(--c1); } .series-2 { --c: var(--c2); } .series-3 { --c:
  var(--c3); }
.series-4 { --c: var(--c4); } .series-5 { --c: var(--c5); } .series-6 { --c: var(--c6); } .series-7 { --c:
  var(--c7); }
.kind-boundary { --c: var(--boundary); } .kind-type { --c: var(--type); } .kind-both { --c: var(--both); }
.kind-missed { --c: var(--missed); } .kind-spurious { --c: var(--spurious); }
rect { fill: var(--c); } rect.pale { fill-opacity: 0.42; } .line path { stroke: var(--c); } .line circle { fill:
  var(--c); }
.meter i { background: var(--c); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 8px 0; padding: 0; list-style: none; font-size:
  13px; }
.legend i { display: inline-block; width: 14px; height: 10px; border-radius: 2px; margin-right: 6px; background:
  var(--c); }
.legend i.pale { opacity: 0.42; }
.legend i.dashed { background: repeating-linear-gradient(90deg, var(--c) 0 5px, transparent 5px 8px); }
.note { background: var(--panel); border-left: 3px solid var(--accent); border-radius: 0 6px 6px 0; padding: 10px
  16px; margin: 14px 0; }
.note p { margin: 2px 0; }
mark { background: none; color: inherit; border-bottom: 2px solid var(--c); padding: 0 1px; }
mark small { color: var(--soft); font-size: 10px; margin-left: 3px; }
mark.right { --c: var(--good); } mark.missed { --c: var(--missed); } mark.spurious { --c: var(--spurious); }
mark.confused { --c: var(--type); }
.example { white-space: pre-wrap; overflow-wrap: anywhere; }
details { margin: 12px 0; } summary { cursor: pointer; color: var(--accent); }
pre { background: var(--panel); border: 1px solid var(--rule); border-radius: 8px; padding: 14px 16px; overflow-x:
  auto;
  font: 12.5px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
footer { margin-top: 56px; color: var(--soft); font-size: 13px; }
@media print { main { max-width: none; padding: 0; } h2 { break-after: avoid; } figure, table { break-inside: avoid;
  } }
)css";
}

}  // namespace entune
