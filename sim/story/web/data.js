// What the page holds, and small helpers. Nothing of it is ever put into the page as markup.
const D = JSON.parse(document.getElementById('data').textContent);
const $ = id => document.getElementById(id);
const list = x => x || [];
const FROM = 0, TO = 1, SENT = 2, FLIGHT = 3, KIND = 4, WHAT = 5, BYTES = 6, TERM = 7, INDEX = 8, ENTRIES = 9, COMMIT = 10;
const AGAIN = 1, HELD = 2, YES = 4;

const members = list(D.members), clients = list(D.clients), ops = list(D.ops), faults = list(D.faults);
const flights = list(D.flights), kinds = list(D.kinds), roles = list(D.roles), lives = list(D.lives), lines = list(D.lines);
const focus = D.focus, until = Math.max(D.until, 1);
const byIndex = new Map(ops.map((o, i) => [o.i, i]));
const told = new Set(focus ? list(focus.ops) : []);
const placedAt = new Map(); // an operation's place in the longest order
if (D.order) list(D.order.placed).forEach((p, n) => { if (p.i >= 0) placedAt.set(p.i, { n: D.order.before + n + 1, at: p.at }); });
const unordered = !!D.order && D.fired === 'linearizable';
const refused = new Set(unordered ? list(D.order.next).map(n => n.i) : []);

// What a message is, for colours and for switching it off.
const groups = [
  { id: 'beats', name: 'heartbeats', color: '--beat', has: f => f[ENTRIES] === 0 && is(f, 'AppendEntries') },
  { id: 'entries', name: 'entries', color: '--append', has: f => f[ENTRIES] > 0 },
  { id: 'answers', name: 'answers', color: '--answer', has: f => is(f, 'AppendEntries answer', 'error answer', 'TimeoutNow answer') },
  { id: 'votes', name: 'votes', color: '--vote', has: f => kinds[f[KIND]].startsWith('Request') || is(f, 'TimeoutNow') },
  { id: 'snapshots', name: 'snapshots', color: '--install', has: f => is(f, 'InstallSnapshot', 'InstallSnapshot answer', 'snapshot part') },
  { id: 'forwarded', name: 'forwarded', color: '--forward', has: f => is(f, 'forwarded write', 'read index', 'forwarding answer', 'table') },
  { id: 'rest', name: 'other', color: '--beat', has: () => true },
];
function is(f, ...names) { return names.includes(kinds[f[KIND]]); }
const groupOf = flights.map(f => groups.findIndex(g => g.has(f)));
const off = new Set(); // groups that are switched off

const seconds = (ns, digits = 6) => (ns / 1e9).toFixed(digits) + ' s';
function took(ns) {
  if (ns >= 1e9) return (ns / 1e9).toFixed(3) + ' s';
  return ns >= 1e6 ? (ns / 1e6).toFixed(2) + ' ms' : (ns / 1e3).toFixed(1) + ' µs';
}
const clamp = (x, lo, hi) => Math.max(lo, Math.min(hi, x));

// el makes an element with text or children in it.
function el(tag, props, ...kids) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(props || {})) {
    if (k === 'class') e.className = v; else if (k.startsWith('on')) e.addEventListener(k.slice(2), v); else e.setAttribute(k, v);
  }
  for (const kid of kids) e.append(kid);
  return e;
}

let colors = {};
function readColors() {
  const css = getComputedStyle(document.documentElement);
  for (const name of ['bg', 'panel', 'ink', 'mute', 'line', 'soft', 'leader', 'candidate', 'follower', 'down', 'applied', 'commit', 'append', 'beat',
    'answer', 'vote', 'install', 'forward', 'held', 'write', 'read', 'readline', 'fail', 'failline', 'unknown', 'bad', 'badsoft', 'fault', 'faultsoft', 'mark', 'focus']) {
    colors[name] = css.getPropertyValue('--' + name).trim();
  }
  for (const g of groups) g.paint = colors[g.color.slice(2)];
}

// last gives the index of the last of a list, sorted by key, that is not after t; -1: none.
function last(of, t, key) {
  let lo = 0, hi = of.length;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (key(of[mid]) <= t) lo = mid + 1; else hi = mid;
  }
  return lo - 1;
}
const at = x => x.at;
const rolesOf = members.map((_, m) => roles.filter(r => r.m === m));
const livesOf = members.map((_, m) => lives.filter(l => l.m === m));
const lifeAt = (m, t) => livesOf[m].find(l => l.from <= t && (l.to === 0 || t < l.to));

// stands tells what a member was at a moment.
function stands(m, t) {
  const life = lifeAt(m, t);
  if (!life) return { role: 'down' };
  const i = last(rolesOf[m], t, at);
  const r = i >= 0 && rolesOf[m][i].at >= life.from ? rolesOf[m][i] : null;
  const index = of => { const j = last(of[m], t, at); return j < 0 ? null : of[m][j]; };
  return { role: r ? r.state : 'starting', term: r ? r.term : null, since: r ? r.at : life.from, applied: index(D.applied), commit: index(D.commits) };
}
