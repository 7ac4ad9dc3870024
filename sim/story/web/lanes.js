// Where things are: lanes from top to bottom, time from left to right.
const view = { from: 0, to: until };
const hover = { x: -1, t: -1, item: null };
let chosen = null; // { what: 'op' | 'fault' | 'flight' | 'role', i }
let found = new Set(); // operations that the search matches
const lane = { gutter: 134, width: 800, height: 400, faults: [], members: [], clients: [], faultRow: 19, faultRows: 0 };
const STRIP = 15, CLIENT = 21;
let SPARK = 24, GAP = 42;

// rows puts spans that overlap in rows of their own.
function rows(spans, minimum) {
  const ends = [];
  return spans.map(s => {
    let r = ends.findIndex(e => e <= s.at);
    if (r < 0) r = ends.push(0) - 1;
    ends[r] = Math.max(s.end, s.at + minimum);
    return r;
  });
}

// order of the client lanes: who is told of in the finding comes first, then who worked on the key.
function clientOrder() {
  const weight = c => {
    const main = focus && byIndex.has(focus.main) ? ops[byIndex.get(focus.main)].p : -1;
    if (c.p === main) return 0;
    if (ops.some(o => o.p === c.p && told.has(o.i))) return 1;
    if (focus && focus.key && ops.some(o => o.p === c.p && o.key === focus.key)) return 2;
    return 3;
  };
  return clients.map(c => ({ ...c, w: weight(c) })).sort((a, b) => a.w - b.w || a.p - b.p);
}

function layout() {
  const narrow = $('stage').clientWidth < 620;
  lane.gutter = narrow ? 76 : 134;
  SPARK = narrow ? 20 : 24; GAP = narrow ? 27 : 42;
  lane.width = Math.max($('scroll').clientWidth, 200);
  const rowOf = rows(faults, until / 60);
  lane.faultRows = faults.length ? Math.max(...rowOf) + 1 : 0;
  const shownRows = Math.min(lane.faultRows, 6);
  lane.faults = faults.map((f, i) => ({ i, row: rowOf[i] % 6 }));
  let y = 6 + shownRows * lane.faultRow + (shownRows ? 8 : 0);
  lane.members = members.map((name, m) => {
    const l = { m, name, y, mid: y + STRIP / 2, spark: y + STRIP + 3, end: y + STRIP + SPARK + 5 };
    y = l.end + (m === members.length - 1 ? 12 : GAP);
    return l;
  });
  lane.split = y;
  y += 10;
  lane.clients = clientOrder().map(c => { const l = { ...c, y }; y += CLIENT; return l; });
  lane.byProcess = new Map(lane.clients.map(c => [c.p, c]));
  lane.height = y + 12;
  $('scroll').style.maxHeight = lane.height + 'px';
}

const X = t => lane.gutter + (t - view.from) / (view.to - view.from) * (lane.width - lane.gutter);
const T = x => view.from + (x - lane.gutter) / (lane.width - lane.gutter) * (view.to - view.from);

const NARROWEST = 2e4; // 20 µs
function show(from, to) {
  const width = clamp(to - from, NARROWEST, until * 1.02);
  const mid = clamp((from + to) / 2, width / 2 - until * 0.01, until * 1.01 - width / 2);
  view.from = mid - width / 2;
  view.to = mid + width / 2;
  redraw();
}
function zoom(factor, around) {
  const t = around === undefined ? (view.from + view.to) / 2 : around;
  const width = clamp((view.to - view.from) * factor, NARROWEST, until * 1.02);
  const share = (t - view.from) / (view.to - view.from);
  show(t - share * width, t + (1 - share) * width);
}
function pan(share) { const d = share * (view.to - view.from); show(view.from + d, view.to + d); }

// aim is what the page opens with: the finding, or the whole run.
function aim() {
  if (!focus) { show(0, until); return; }
  const span = Math.max(focus.to - focus.from, 4e8);
  const near = faults.filter(f => f.at <= focus.to && f.end >= focus.from - 3e9).map(f => f.at);
  const first = Math.max(Math.min(focus.from - span * 1.2, ...near.map(t => t - 1e8)), focus.from - 3.5e9);
  show(Math.max(first, 0), focus.to + (focus.to - first) * 0.14);
}
