"""The page of the scorecard as a Jinja template; everything it needs is inside it."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Scorecard</title>
<style>
{{ style|safe }}
details { border-bottom:1px solid var(--line); } details:last-child { border-bottom:0; }
summary { display:grid; grid-template-columns:52px minmax(0,1fr) 74px 64px minmax(0,1fr) 82px; gap:10px;
  padding:7px 0; cursor:pointer; list-style:none; align-items:baseline; }
summary::-webkit-details-marker { display:none; }
summary:hover { background:#f8fafb; }
summary .id { font-weight:650; } .right { text-align:right; } .dim { color:var(--dim); }
.okay { color:var(--ok); font-weight:600; } .fail { color:var(--bad); font-weight:700; }
.note { color:var(--dim); font-size:13px; margin:2px 0 8px; }
table { border-collapse:collapse; width:100%; font-size:13.5px; margin:0 0 14px; }
td { padding:4px 10px 4px 0; border-top:1px solid var(--line); vertical-align:top; }
tr.plot { cursor:pointer; } tr.plot:hover { background:#f4f6f8; } tr.plot td:first-child { text-decoration:underline; }
.dot { display:inline-block; width:10px; height:10px; border-radius:50%; margin-right:6px; background:#c6ccd2; }
.green { background:#0a9d63; } .yellow { background:#f2cf1d; } .orange { background:#ee8a1d; }
.brown { background:#8a5a2b; } .red { background:#c0341d; }
#drill { position:sticky; bottom:0; display:none; box-shadow:0 -4px 18px #0002; }
#plots { display:grid; grid-template-columns:repeat(auto-fit,minmax(330px,1fr)); gap:8px; }
#plots > div { height:230px; }
#close { float:right; }
button { font:inherit; padding:2px 12px; }
</style>
</head>
<body>
<main>
<header>
  <h1>Scorecard</h1>
  <span class="badge {{ 'bad' if broken else 'ok' }}">
    {{ broken }} hard gate{{ '' if broken == 1 else 's' }} broken</span>
  <p>{{ passed }} of {{ total }} runs passed · parameters: {{ preset }} · sensors: {{ sensors }} ·
    friction: {{ mu }}</p>
</header>
{% for group in groups %}
<section>
  <h2>{{ group.name }}</h2>
  {% for row in group.rows %}
  <details>
    <summary>
      <span class="id">{{ row.id }}</span><span>{{ row.scenario }}</span>
      <span class="right {{ 'okay' if row.passed == row.total else 'fail' }}">{{ row.passed }}/{{ row.total }}</span>
      <span class="right dim">{{ row.points }}</span><span class="dim">{{ row.worst }}</span>
      <span class="fail">{% if row.broken %}{{ row.broken }} broken{% endif %}</span>
    </summary>
    <p class="note">Passes: {{ row.passes }}. Source: {{ row.source }}.</p>
    <table>
      {% for run in row.runs %}
      <tr {% if run.trace %}class="plot" data-run="{{ run.key }}"{% endif %}>
        <td>{{ run.key }}</td><td>{{ run.varied }}</td>
        <td>{% if run.colour %}<span class="dot {{ run.colour }}"></span>{% endif %}
          <span class="{{ 'okay' if run.passed else 'fail' }}">{{ 'pass' if run.passed else 'FAIL' }}</span></td>
        <td>{% for text, passed in run.checks %}<span {% if not passed %}class="fail"{% endif %}>{{ text }}</span>
          {%- if not loop.last %}; {% endif %}{% endfor %}
          {% for gate in run.gates %}<br><span class="fail">gate: {{ gate }}</span>{% endfor %}</td>
      </tr>
      {% endfor %}
    </table>
  </details>
  {% endfor %}
</section>
{% endfor %}
{% if traces %}
<section id="drill"><button id="close">Close</button><h2 id="name"></h2><div id="plots"></div>
  <p class="note" id="states"></p></section>
{% endif %}
</main>
{% if traces %}
<script>{{ plotly|safe }}</script>
<script>
const traces = {{ traces|tojson }};
const charts = [
  ["Speed, km/h", "time_s", [["car", "speed_mps"], ["target", "target_speed_mps"]]],
  ["Gap, m", "time_s", [["gap", "gap_m"]]],
  ["TTC, s", "time_s", [["TTC", "ttc_s"]], [0, 8]],
  ["Acceleration, m/s²", "time_s", [["car", "accel_mps2"], ["request", "accel_request_mps2"]]],
  ["Distance to lines, m", "time_s", [["left", "to_left_m"], ["right", "to_right_m"]]],
  ["Path, m", "x_m", [["car", "y_m"]]],
  ["Target seen from the car, m", "target_x_m", [["target", "target_y_m"]]],
  ["AEB stage, lamps", "time_s", [["AEB", "aeb_stage"], ["left lamp", "bsd_left"], ["right lamp", "bsd_right"]]],
];
const colours = ["#0072B2", "#E69F00", "#009E73"];
function show(key) {
  const trace = traces[key], holder = document.getElementById("plots");
  document.getElementById("drill").style.display = "block";
  document.getElementById("name").textContent = key;
  document.getElementById("states").textContent =
    trace.states.map(s => s[0].toFixed(2) + " s " + s[1] + " " + s[2] + " (" + s[3] + ")").join(" · ");
  holder.replaceChildren();
  for (const [title, x, lines, range] of charts) {
    if (!lines.some(l => trace[l[1]].some(v => v !== null))) continue;
    const place = document.createElement("div");
    holder.append(place);
    const data = lines.map(([name, y], i) => ({ x: trace[x], y: trace[y], name, mode: "lines",
      line: { color: colours[i], width: 1.6 } }));
    const layout = { title: { text: title, font: { size: 13 } }, showlegend: lines.length > 1,
      margin: { l: 42, r: 10, t: 34, b: 28 }, yaxis: { range, zeroline: false },
      legend: { orientation: "h", y: 1.15 } };
    Plotly.newPlot(place, data, layout, { displayModeBar: false, responsive: true });
  }
}
document.querySelectorAll("tr.plot").forEach(row => { row.onclick = () => show(row.dataset.run); });
document.getElementById("close").onclick = () => { document.getElementById("drill").style.display = "none"; };
</script>
{% endif %}
</body>
</html>
"""
