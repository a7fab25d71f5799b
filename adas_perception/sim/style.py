"""What the pages of a drive, of the scorecard and of a replay have in common to look at."""

STYLE = """
:root { --ink:#1d2530; --dim:#5b6570; --line:#e1e6eb; --ok:#0a7d55; --bad:#c0341d; --ground:#f4f6f8; }
* { box-sizing:border-box; }
body { margin:0; background:var(--ground); color:var(--ink);
  font:15px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif; font-variant-numeric:tabular-nums; }
main { max-width:1240px; margin:0 auto; padding:28px 24px 48px; }
header { display:flex; align-items:baseline; gap:16px; flex-wrap:wrap; margin-bottom:18px; }
h1 { font-size:26px; font-weight:650; margin:0; letter-spacing:-.01em; }
h2 { font-size:16px; font-weight:650; margin:0 0 10px; }
header p { margin:0; color:var(--dim); }
.badge { padding:3px 12px; border-radius:999px; color:#fff; font-weight:600; font-size:14px; }
.badge.ok { background:var(--ok); } .badge.bad { background:var(--bad); }
section { background:#fff; border:1px solid var(--line); border-radius:10px; padding:18px 20px; margin-bottom:18px; }
"""
