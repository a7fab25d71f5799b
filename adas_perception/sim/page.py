"""The page of the report as a Jinja template; everything it needs is inside it."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }} – drive report</title>
<style>
{{ style|safe }}
.two { display:grid; grid-template-columns:minmax(0,7fr) minmax(0,5fr); gap:18px; align-items:start; }
@media (max-width:980px) { .two { grid-template-columns:minmax(0,1fr); } }
table { border-collapse:collapse; width:100%; font-size:14px; }
th { text-align:left; color:var(--dim); font-weight:500; padding:4px 8px 6px 0; border-bottom:1px solid var(--line); }
td { padding:6px 8px 6px 0; border-bottom:1px solid var(--line); vertical-align:top; }
tr:last-child td { border-bottom:0; }
td.value { white-space:nowrap; font-weight:600; }
td.limit { color:var(--dim); }
.pass { color:var(--ok); font-weight:600; } .fail { color:var(--bad); font-weight:700; }
.slow { color:#8a6000; font-weight:600; }
.book img { width:100%; display:block; border-radius:6px; background:#12161b; }
.controls { display:flex; gap:12px; align-items:center; margin-top:10px; }
.controls button { font:inherit; padding:4px 0; width:76px; border:1px solid var(--line); background:#fff;
  border-radius:6px; cursor:pointer; }
.controls input { flex:1; accent-color:#0072b2; }
.controls output { width:64px; text-align:right; color:var(--dim); }
dl { display:grid; grid-template-columns:max-content 1fr; gap:4px 18px; margin:0; font-size:14px; }
dt { color:var(--dim); } dd { margin:0; overflow-wrap:anywhere; }
.notes { max-height:260px; overflow:auto; }
</style>
</head>
<body>
<main>
<header>
  <h1>{{ title }}</h1>
  {% if not broken %}<span class="badge ok">all checks passed</span>
  {% else %}<span class="badge bad">{{ broken }} check{{ "s" if broken != 1 }} failed</span>{% endif %}
  <p>scenario {{ scenario }} · {{ "%.0f"|format(duration_s) }} s simulated ·
    {{ "%.2f"|format(factor) }} × real time</p>
</header>
<div class="two">
  {% if book %}
  <section class="book">
    <img id="picture" alt="camera picture with overlay, view from above and main figures" src="{{ book[0].src }}">
    <div class="controls">
      <button id="play" type="button">Play</button>
      <input id="slider" type="range" min="0" max="{{ book|length - 1 }}" value="0" aria-label="time">
      <output id="clock">{{ "%.1f"|format(book[0].t) }} s</output>
    </div>
  </section>
  {% endif %}
  <section>
    <h2>Checks</h2>
    <table>
      <tr><th>check</th><th>measured</th><th>allowed</th><th></th></tr>
      {% for v in verdicts %}
      <tr><td>{{ v.name }}</td><td class="value">{{ v.value }}</td><td class="limit">{{ v.limit }}</td>
        <td><span class="{{ v.word|lower }}">{{ v.word }}</span></td></tr>
      {% endfor %}
      {% for name, value in figures %}
      <tr><td>{{ name }}</td><td class="value">{{ value }}</td><td></td><td></td></tr>
      {% endfor %}
    </table>
  </section>
</div>
{% if parking %}
<section class="book">
  <h2>The manoeuvre from above</h2>
  <img alt="echoes, map, slot, plan and driven path from above" src="{{ parking }}">
</section>
{% endif %}
{% if plots %}<section>{{ plots|safe }}</section>{% endif %}
<div class="two">
  <section class="notes">
    <h2>What the driver was told</h2>
    {% if told %}
    <table>
      <tr><th>time</th><th>alert</th><th>sound</th></tr>
      {% for t, alert in told %}
      <tr><td class="value">{{ "%.2f"|format(t) }} s</td>
        <td><b>{{ alert.en.heading }}</b> {{ alert.en.message }}</td><td>{{ alert.sound.value }}</td></tr>{% endfor %}
    </table>
    {% else %}<p>Nothing.</p>{% endif %}
  </section>
  <section class="notes">
    <h2>Events</h2>
    {% if notes %}
    <table>
      <tr><th>time</th><th>what</th></tr>
      {% for n in notes %}
      <tr><td class="value">{{ "%.2f"|format(n.time_s) }} s</td><td>{{ n.text }}</td></tr>{% endfor %}
    </table>
    {% else %}<p>None.</p>{% endif %}
  </section>
</div>
<div class="two">
  <section>
    <h2>Run</h2>
    <dl>{% for name, value in details %}<dt>{{ name }}</dt><dd>{{ value }}</dd>{% endfor %}</dl>
  </section>
</div>
</main>
{% if book %}
<script>
const book = {{ book|tojson }};
const picture = document.getElementById("picture"), slider = document.getElementById("slider");
const clock = document.getElementById("clock"), play = document.getElementById("play");
const plots = document.getElementById("plots");
let timer = null;
function cursor(t) {
  if (!plots || !plots.layout) return;
  const kept = (plots.layout.shapes || []).filter(s => s.name !== "cursor");
  kept.push({ name: "cursor", type: "line", xref: "x", yref: "paper", x0: t, x1: t, y0: 0, y1: 1,
              line: { color: "#1d2530", width: 1 } });
  Plotly.relayout(plots, { shapes: kept });
}
function show(index, moveCursor) {
  slider.value = index;
  picture.src = book[index].src;
  clock.value = book[index].t.toFixed(1) + " s";
  if (moveCursor) cursor(book[index].t);
}
function stop() { clearTimeout(timer); timer = null; play.textContent = "Play"; cursor(book[+slider.value].t); }
function advance() {
  const index = +slider.value;
  if (index + 1 >= book.length) { stop(); return; }
  show(index + 1, index % 4 === 0);
  timer = setTimeout(advance, 1000 * (book[index + 1].t - book[index].t));
}
play.onclick = () => {
  if (timer) { stop(); return; }
  if (+slider.value + 1 >= book.length) show(0, true);
  play.textContent = "Pause";
  advance();
};
slider.oninput = () => show(+slider.value, true);
if (plots && plots.on) plots.on("plotly_click", e => {
  const t = e.points[0].x;
  let best = 0;
  book.forEach((p, i) => { if (Math.abs(p.t - t) < Math.abs(book[best].t - t)) best = i; });
  show(best, true);
});
</script>
{% endif %}
</body>
</html>
"""
