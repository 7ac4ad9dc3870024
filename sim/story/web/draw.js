// The picture.
let pending = false;
function redraw() {
  if (pending) return;
  pending = true;
  requestAnimationFrame(() => { pending = false; drawAll(); });
}

function sized(canvas, w, h) {
  const dpr = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(w * dpr) || canvas.height !== Math.round(h * dpr)) {
    canvas.width = Math.round(w * dpr); canvas.height = Math.round(h * dpr);
    canvas.style.width = w + 'px'; canvas.style.height = h + 'px';
  }
  const c = canvas.getContext('2d');
  c.setTransform(dpr, 0, 0, dpr, 0, 0);
  c.clearRect(0, 0, w, h);
  c.font = '12px system-ui, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif';
  c.textBaseline = 'middle';
  return c;
}

const hatches = new Map();
function hatch(c, color) {
  if (!hatches.has(color)) {
    const tile = document.createElement('canvas');
    tile.width = tile.height = 8;
    const p = tile.getContext('2d');
    p.strokeStyle = color; p.lineWidth = 1.6;
    for (const x of [-4, 4, 12]) { p.beginPath(); p.moveTo(x - 4, 8); p.lineTo(x + 4, 0); p.stroke(); }
    hatches.set(color, c.createPattern(tile, 'repeat'));
  }
  return hatches.get(color);
}

// fits cuts a text to a width; empty if nothing of it fits.
function fits(c, text, width) {
  if (width < 14) return '';
  if (c.measureText(text).width <= width) return text;
  let n = Math.floor(text.length * width / c.measureText(text).width);
  while (n > 1 && c.measureText(text.slice(0, n) + '…').width > width) n--;
  return n > 1 ? text.slice(0, n) + '…' : '';
}

function drawAll() {
  const h = Math.max(lane.height, $('scroll').clientHeight);
  const c = sized($('chart'), lane.width, h);
  drawAxis();
  c.save();
  c.beginPath(); c.rect(lane.gutter, 0, lane.width - lane.gutter, h); c.clip();
  grid(c, h); drawFaults(c); drawSparks(c); drawFlights(c); drawStrips(c); drawOps(c); drawOrder(c); cursor(c, h);
  c.restore();
  gutter(c, h);
  placeFailing();
}

function ticks() {
  const span = view.to - view.from, want = (lane.width - lane.gutter) / 110;
  let step = Math.pow(10, Math.ceil(Math.log10(span / want)));
  for (const part of [0.2, 0.5]) if (span / (step * part) <= want) { step *= part; break; }
  const out = [];
  for (let t = Math.ceil(Math.max(view.from, 0) / step) * step; t <= Math.min(view.to, until); t += step) out.push(t);
  return { out, digits: clamp(Math.ceil(-Math.log10(step / 1e9)), 0, 9) };
}

function drawAxis() {
  const c = sized($('axis'), lane.width, 24), { out, digits } = ticks();
  c.fillStyle = colors.mute; c.textAlign = 'center';
  for (const t of out) c.fillText((t / 1e9).toFixed(digits), clamp(X(t), lane.gutter + 16, lane.width - 24), 12);
  c.textAlign = 'left'; c.clearRect(0, 0, lane.gutter - 4, 24);
  c.fillText('seconds', 10, 12);
  if (hover.t >= 0) {
    const text = seconds(hover.t, Math.min(digits + 2, 9)), w = c.measureText(text).width + 10, x = clamp(X(hover.t) - w / 2, lane.gutter, lane.width - w);
    c.fillStyle = colors.ink; c.fillRect(x, 3, w, 18); c.fillStyle = colors.panel; c.fillText(text, x + 5, 12);
  }
}

function grid(c, h) {
  c.strokeStyle = colors.line; c.lineWidth = 1;
  for (const t of ticks().out) { const x = Math.round(X(t)) + .5; c.beginPath(); c.moveTo(x, 0); c.lineTo(x, h); c.stroke(); }
  if (D.calm > 0) {
    const x = X(D.calm);
    c.setLineDash([2, 4]); c.strokeStyle = colors.mute; c.beginPath(); c.moveTo(x, 0); c.lineTo(x, h); c.stroke(); c.setLineDash([]);
    c.fillStyle = colors.mute; c.textAlign = 'left'; c.fillText('healed', x + 5, lane.split + 3);
  }
  const end = X(until);
  c.fillStyle = colors.soft; c.fillRect(end, 0, lane.width, h); c.fillRect(lane.gutter, 0, X(0) - lane.gutter, h);
  c.strokeStyle = colors.line; c.beginPath(); c.moveTo(0, lane.split + .5); c.lineTo(lane.width, lane.split + .5); c.stroke();
  if (focus) {
    const a = X(focus.from), b = X(focus.to);
    c.fillStyle = colors.badsoft; c.fillRect(a, lane.split + 1, Math.max(b - a, 2), h);
    if (!byIndex.has(focus.main)) { c.fillStyle = colors.bad; c.fillRect(X(focus.at) - 1, 0, 2, h); }
  }
}

function faultBox(n) {
  const { i, row } = lane.faults[n], f = faults[i], x = X(f.at);
  return { x, y: 5 + row * lane.faultRow, w: Math.max(X(f.end) - x, 5), h: lane.faultRow - 4 };
}

function drawFaults(c) {
  for (let n = 0; n < lane.faults.length; n++) {
    const f = faults[lane.faults[n].i], b = faultBox(n);
    if (b.x > lane.width || b.x + b.w < lane.gutter) continue;
    const hit = f.struck > 0, mine = chosen && chosen.what === 'fault' && chosen.i === lane.faults[n].i;
    for (const l of lane.members) {
      if (list(f.members).length && !f.members.includes(l.m)) continue;
      c.globalAlpha = mine ? .5 : hit ? .2 : .1;
      c.fillStyle = hatch(c, colors.fault); c.fillRect(b.x, l.y - 5, b.w, l.end - l.y + 8);
      c.globalAlpha = mine ? .25 : .1; c.fillStyle = colors.fault; c.fillRect(b.x, l.y - 5, b.w, l.end - l.y + 8);
    }
    c.globalAlpha = 1;
    c.fillStyle = hit ? colors.faultsoft : colors.panel; c.fillRect(b.x, b.y, b.w, b.h);
    c.strokeStyle = colors.fault; c.lineWidth = mine ? 2.4 : 1; c.setLineDash(hit ? [] : [3, 3]); c.strokeRect(b.x + .5, b.y + .5, b.w - 1, b.h - 1); c.setLineDash([]);
    const left = Math.max(b.x, lane.gutter) + 5, label = `${f.kind} #${f.id}${list(f.members).length ? ' · ' + f.members.map(m => members[m]).join(' ') : ''}`;
    c.fillStyle = colors.ink; c.textAlign = 'left';
    const text = fits(c, label, b.x + b.w - left - 3);
    if (text.length > 4) c.fillText(text, left, b.y + b.h / 2 + .5);
    else outside(c, n, label, b);
  }
}

// outside writes a fault's name behind it, as far as the next one in its row leaves room.
function outside(c, n, label, b) {
  let room = lane.width;
  lane.faults.forEach((other, k) => { if (k !== n && other.row === lane.faults[n].row) { const x = faultBox(k).x; if (x > b.x) room = Math.min(room, x); } });
  const text = fits(c, label, room - b.x - b.w - 8);
  if (text && b.x + b.w > lane.gutter) c.fillText(text, b.x + b.w + 4, b.y + b.h / 2 + .5);
}

const roleColor = s => ({ leader: colors.leader, candidate: colors.candidate, follower: colors.follower }[s] || colors.soft);

function drawStrips(c) {
  for (const l of lane.members) {
    c.fillStyle = colors.soft; c.fillRect(X(0), l.y, X(until) - X(0), STRIP);
    c.fillStyle = hatch(c, colors.down); c.fillRect(X(0), l.y, X(until) - X(0), STRIP); // down, unless a life covers it
    for (const life of livesOf[l.m]) {
      const end = life.to || until;
      if (end < view.from || life.from > view.to) continue;
      c.fillStyle = colors.panel; c.fillRect(X(life.from), l.y, X(end) - X(life.from), STRIP);
      const mine = rolesOf[l.m].filter(r => r.at >= life.from && r.at < end);
      mine.forEach((r, i) => {
        const a = X(r.at), b = X(i + 1 < mine.length ? mine[i + 1].at : end);
        if (b < lane.gutter || a > lane.width) return;
        c.fillStyle = roleColor(r.state); c.fillRect(a, l.y, Math.max(b - a, 1), STRIP);
        const left = Math.max(a, lane.gutter) + 6, text = fits(c, `${r.state} · term ${r.term}`, Math.min(b, lane.width) - left - 4);
        c.fillStyle = r.state === 'leader' ? colors.panel : r.state === 'candidate' ? '#1c2126' : colors.ink; c.textAlign = 'left';
        if (text.length > 3) c.fillText(text, left, l.mid + .5);
      });
      c.strokeStyle = colors.ink; c.lineWidth = 1.4;
      for (const t of [life.from, life.to]) if (t > 0 || t === life.from) { c.beginPath(); c.moveTo(X(t), l.y - 3); c.lineTo(X(t), l.y + STRIP + 3); c.stroke(); }
      if (life.to) cross(c, X(life.to), l.mid, 4.5, colors.ink);
    }
  }
}

function cross(c, x, y, r, color) {
  c.strokeStyle = color; c.lineWidth = 2; c.beginPath();
  c.moveTo(x - r, y - r); c.lineTo(x + r, y + r); c.moveTo(x - r, y + r); c.lineTo(x + r, y - r); c.stroke();
}

// The indices of all members have one scale, that of what is in view: so who is behind is seen to be.
function drawSparks(c) {
  let lo = Infinity, hi = 0;
  for (const of of [D.applied, D.commits]) for (const m of lane.members) {
    const steps = list(of && of[m.m]), a = last(steps, view.from, at), b = last(steps, view.to, at);
    if (b >= 0) { hi = Math.max(hi, steps[b].log); lo = Math.min(lo, steps[Math.max(a, 0)].log); }
  }
  if (hi === 0) return;
  if (hi - lo < 2) lo = Math.max(hi - 2, 0);
  for (const l of lane.members) {
    c.save(); c.beginPath(); // nobody applies anything while it is down
    for (const life of livesOf[l.m]) c.rect(X(life.from), l.spark - 6, X(life.to || until) - X(life.from), SPARK + 12);
    c.clip();
    c.fillStyle = colors.panel; c.globalAlpha = .55; c.fillRect(X(0), l.spark, X(until) - X(0), SPARK); c.globalAlpha = 1;
    const y = log => l.spark + SPARK - 1 - clamp((log - lo) / (hi - lo), 0, 1) * (SPARK - 3);
    spark(c, list(D.commits && D.commits[l.m]), y, colors.commit, [3, 3], 1);
    spark(c, list(D.applied && D.applied[l.m]), y, colors.applied, [], 1.6);
    for (const s of list(D.applied && D.applied[l.m])) if (s.jump && s.at >= view.from && s.at <= view.to) {
      const x = X(s.at); c.fillStyle = colors.install; c.beginPath(); c.moveTo(x, y(s.log) - 5); c.lineTo(x + 5, y(s.log)); c.lineTo(x, y(s.log) + 5); c.lineTo(x - 5, y(s.log)); c.fill();
    }
    c.restore();
  }
}

function spark(c, steps, y, color, dash, width) {
  const a = Math.max(last(steps, view.from, at), 0), b = last(steps, view.to, at);
  if (b < 0) return;
  c.strokeStyle = color; c.lineWidth = width; c.setLineDash(dash); c.beginPath();
  let before = null;
  for (let i = a; i <= b; i++) {
    const x = X(steps[i].at);
    if (before !== null) c.lineTo(x, y(before)); else c.moveTo(x, y(steps[i].log));
    c.lineTo(x, y(steps[i].log)); before = steps[i].log;
  }
  c.lineTo(X(Math.min(view.to, until)), y(before)); c.stroke(); c.setLineDash([]);
}

// The ends of a message: on the edges of the members' strips that face each other.
function flightLine(f) {
  const a = lane.members[f[FROM]], b = lane.members[f[TO]], down = b.m > a.m;
  const y1 = down ? a.y + STRIP : a.y, y2 = down ? b.y : b.y + STRIP, never = f[FLIGHT] < 0;
  const x1 = X(f[SENT]), x2 = never ? x1 + 10 : X(f[SENT] + f[FLIGHT]);
  return { x1, y1, x2, y2: never ? y1 + (y2 - y1) * .4 : y2, never };
}

const DENSE = 1500;
let visible = [];
function drawFlights(c) {
  visible = [];
  for (let i = 0; i < flights.length; i++) {
    const f = flights[i];
    if (f[SENT] <= view.to && f[SENT] + Math.max(f[FLIGHT], 0) >= view.from && !off.has(groups[groupOf[i]].id)) visible.push(i);
  }
  const all = visible.length;
  if (all > DENSE) visible = visible.filter(i => !['beats', 'answers', 'rest'].includes(groups[groupOf[i]].id) || flights[i][WHAT] & HELD || flights[i][FLIGHT] < 0);
  drawFlights.hidden = all - visible.length;
  const alpha = clamp(420 / Math.max(visible.length, 1), .16, .95);
  for (const i of visible) {
    const f = flights[i], p = flightLine(f), odd = p.never || f[WHAT] & (HELD | AGAIN);
    const mine = chosen && chosen.what === 'flight' && chosen.i === i || hover.item && hover.item.what === 'flight' && hover.item.i === i;
    c.globalAlpha = mine ? 1 : odd ? Math.max(alpha, .5) : alpha;
    c.strokeStyle = odd ? colors.held : groups[groupOf[i]].paint; c.lineWidth = mine ? 2.6 : f[ENTRIES] > 0 || groups[groupOf[i]].id === 'votes' ? 1.5 : 1.1;
    c.setLineDash(odd ? [5, 3] : []);
    c.beginPath(); c.moveTo(p.x1, p.y1); c.lineTo(p.x2, p.y2); c.stroke();
    if (p.never) { c.setLineDash([]); cross(c, p.x2, p.y2, 3, colors.held); continue; }
    if (visible.length < 500) head(c, p);
  }
  c.globalAlpha = 1; c.setLineDash([]);
}

function head(c, p) {
  const angle = Math.atan2(p.y2 - p.y1, p.x2 - p.x1);
  c.fillStyle = c.strokeStyle; c.beginPath(); c.moveTo(p.x2, p.y2);
  for (const s of [-.38, .38]) c.lineTo(p.x2 - 7 * Math.cos(angle + s), p.y2 - 7 * Math.sin(angle + s));
  c.fill();
}

function opBox(o) {
  const l = lane.byProcess.get(o.p), x = X(o.call);
  return { x, y: l.y + 2, w: Math.max(X(o.ret) - x, 3), h: CLIENT - 5 };
}

function drawOps(c) {
  for (let i = 0; i < ops.length; i++) {
    const o = ops[i];
    if (o.ret < view.from || o.call > view.to) continue;
    const b = opBox(o), main = focus && focus.main === o.i, about = told.has(o.i);
    const mine = chosen && chosen.what === 'op' && chosen.i === i;
    const known = o.out === 'ok', bad = main || refused.has(o.i);
    c.fillStyle = o.out === 'fail' ? colors.fail : known && !o.reads ? colors.write : colors.read;
    c.fillRect(b.x, b.y, b.w, b.h);
    if (o.out === 'unknown') { c.fillStyle = colors.panel; c.fillRect(b.x, b.y, b.w, b.h); c.fillStyle = hatch(c, colors.unknown); c.fillRect(b.x, b.y, b.w, b.h); }
    c.strokeStyle = bad ? colors.bad : mine ? colors.ink : about ? colors.bad : o.out === 'fail' ? colors.failline : o.out === 'unknown' ? colors.unknown : colors.readline;
    c.lineWidth = bad || mine ? 2.6 : about ? 2 : 1;
    if (b.w > 4 || bad || mine || about) c.strokeRect(b.x + .5, b.y + .5, b.w - 1, b.h - 1);
    if (found.has(i)) { c.strokeStyle = colors.ink; c.lineWidth = 2; c.strokeRect(b.x - 2, b.y - 2, b.w + 4, b.h + 4); c.fillStyle = colors.ink; c.fillRect(b.x, b.y + b.h + 1, b.w, 2); }
    const left = Math.max(b.x, lane.gutter) + 4, text = fits(c, opLabel(o), b.x + b.w - left - 2);
    if (text.length < 3) continue;
    if (o.out === 'unknown') { c.fillStyle = colors.panel; c.fillRect(left - 2, b.y + 2, c.measureText(text).width + 4, b.h - 4); } // letters on hatching are hard to read
    c.textAlign = 'left'; c.fillStyle = known && !o.reads ? colors.panel : colors.ink;
    c.fillText(text, left, b.y + b.h / 2 + .5);
  }
  if (chosen && chosen.what === 'op') link(c, ops[chosen.i]);
}
const opLabel = o => `${o.op} ${o.key}${o.at ? ' @' + o.at : ''}`;

// link shows which member an operation asked.
function link(c, o) {
  if (o.m < 0) return;
  const b = opBox(o), l = lane.members[o.m];
  c.strokeStyle = colors.ink; c.lineWidth = 1; c.setLineDash([2, 3]); c.beginPath();
  for (const x of [b.x, b.x + b.w]) { c.moveTo(x, b.y); c.lineTo(x, l.y + STRIP); }
  c.stroke(); c.setLineDash([]);
}

// drawOrder draws the longest order as a path through its operations, each at the earliest point that the order leaves it.
function drawOrder(c) {
  if (!D.order || list(D.order.placed).length === 0) return;
  const points = D.order.placed.filter(p => byIndex.has(p.i)).map(p => { const b = opBox(ops[byIndex.get(p.i)]); return { x: X(p.at), y: b.y + b.h / 2 }; });
  c.strokeStyle = colors.ink; c.globalAlpha = .45; c.lineWidth = 1.2; c.beginPath();
  points.forEach((p, i) => i ? c.lineTo(p.x, p.y) : c.moveTo(p.x, p.y));
  c.stroke(); c.globalAlpha = 1; c.fillStyle = colors.ink;
  for (const p of points) { c.beginPath(); c.arc(p.x, p.y, 2.6, 0, 7); c.fill(); }
}

function cursor(c, h) {
  if (hover.t < 0) return;
  c.strokeStyle = colors.mute; c.globalAlpha = .6; c.lineWidth = 1; c.beginPath();
  c.moveTo(Math.round(X(hover.t)) + .5, 0); c.lineTo(Math.round(X(hover.t)) + .5, h); c.stroke(); c.globalAlpha = 1;
}

function gutter(c, h) {
  const narrow = lane.gutter < 100, t = hover.t >= 0 ? hover.t : clamp(view.to, 0, until);
  c.fillStyle = colors.panel; c.fillRect(0, 0, lane.gutter, h);
  c.strokeStyle = colors.line; c.lineWidth = 1; c.beginPath(); c.moveTo(lane.gutter + .5, 0); c.lineTo(lane.gutter + .5, h); c.stroke();
  c.textAlign = 'left'; c.fillStyle = colors.mute;
  if (lane.faultRows) c.fillText('faults', 10, 13);
  const font = c.font;
  for (const l of lane.members) {
    const s = stands(l.m, t);
    c.fillStyle = colors.ink; c.font = '650 ' + font.replace('12px', '13.5px'); c.fillText(l.name, 10, l.mid); c.font = font;
    c.fillStyle = colors.mute;
    c.fillText(narrow ? (s.term ? 't' + s.term : s.role) : s.term ? `${s.role} t${s.term}` : s.role, narrow ? 38 : 40, l.mid);
    c.font = font.replace('12px', narrow ? '10.5px' : '11.5px');
    if (s.applied) c.fillText(narrow ? '≤' + s.applied.log : `applied ${s.applied.log}`, 10, l.spark + (narrow ? 4 : 6));
    if (s.commit) c.fillText(narrow ? '✓' + s.commit.log : `commit ${s.commit.log}`, 10, l.spark + SPARK - (narrow ? 3 : 5));
    c.font = font;
  }
  for (const l of lane.clients) {
    c.fillStyle = l.w === 0 && focus ? colors.bad : l.w < 2 ? colors.ink : colors.mute;
    c.fillText(fits(c, `p${l.p} ${l.does}`, lane.gutter - 14), 10, l.y + CLIENT / 2 - 1);
  }
  if (!clients.length) c.fillText('no operations', 10, lane.split + 14);
  c.strokeStyle = colors.line; c.beginPath(); c.moveTo(0, lane.split + .5); c.lineTo(lane.gutter, lane.split + .5); c.stroke();
}

function placeFailing() {
  const mark = $('failing');
  if (!focus) { mark.hidden = true; return; }
  // A finding that is about no operation is marked where members end and clients begin, at its time.
  const b = byIndex.has(focus.main) ? opBox(ops[byIndex.get(focus.main)]) : { x: X(focus.at), y: lane.split + 5, w: 1 };
  const x = clamp(b.x, lane.gutter - 1e9, lane.width) + Math.min(b.w, lane.width - b.x) / 2;
  mark.hidden = x < lane.gutter || x > lane.width;
  mark.style.left = clamp(x, lane.gutter + 34, lane.width - 34) + 'px'; mark.style.top = b.y - 6 + 'px';
}
