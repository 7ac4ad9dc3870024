// Pointer, wheel, touch, keys, and the search.
function inputs() {
  const chart = $('chart'), stage = $('stage'), pointers = new Map();
  let moved = 0, pinch = 0;
  const where = e => { const r = chart.getBoundingClientRect(); return { x: e.clientX - r.left, y: e.clientY - r.top }; };
  chart.addEventListener('pointerdown', e => {
    pointers.set(e.pointerId, where(e)); moved = 0; pinch = spread();
    chart.setPointerCapture(e.pointerId);
  });
  const spread = () => { const [a, b] = [...pointers.values()]; return b ? Math.abs(a.x - b.x) : 0; };
  chart.addEventListener('pointermove', e => {
    const p = where(e), was = pointers.get(e.pointerId);
    if (!was) { point(p); return; }
    pointers.set(e.pointerId, p);
    if (pointers.size === 2) {
      const now = spread(), [a, b] = [...pointers.values()];
      if (pinch > 8 && now > 8) zoom(pinch / now, T((a.x + b.x) / 2));
      pinch = now; moved = 99;
      return;
    }
    const dx = p.x - was.x;
    moved += Math.abs(dx) + Math.abs(p.y - was.y);
    if (moved > 4) { stage.classList.add('drag'); unpoint(); pan(-dx / (lane.width - lane.gutter)); }
  });
  const up = e => {
    const p = where(e), was = pointers.delete(e.pointerId);
    stage.classList.remove('drag');
    if (was && e.type === 'pointerup' && moved <= 4) choose(pick(p.x, p.y));
  };
  chart.addEventListener('pointerup', up);
  chart.addEventListener('pointercancel', up);
  chart.addEventListener('pointerleave', unpoint);
  stage.addEventListener('wheel', e => {
    if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) pan((e.deltaX || e.deltaY) / 900);
    else zoom(Math.exp(clamp(e.deltaY, -240, 240) / 420), T(where(e).x));
    e.preventDefault();
  }, { passive: false });
  $('failing').addEventListener('click', () => acts.aim());
  for (const b of document.querySelectorAll('[data-do]')) b.addEventListener('click', () => acts[b.dataset.do]());
  document.addEventListener('keydown', key);
  $('find').addEventListener('input', () => search());
  $('find').addEventListener('keydown', e => {
    if (e.key === 'Enter') { goFound(e.shiftKey ? -1 : 1); e.preventDefault(); }
    if (e.key === 'Escape') { $('find').value = ''; search(); $('find').blur(); }
    e.stopPropagation();
  });
  new ResizeObserver(() => { layout(); redraw(); }).observe($('scroll'));
  $('theme').addEventListener('click', switchTheme);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', paint);
}

function point(p) {
  hover.x = p.x; hover.t = p.x >= lane.gutter ? clamp(T(p.x), 0, until) : -1; hover.item = pick(p.x, p.y);
  const tip = $('tip');
  if (hover.item) {
    tip.textContent = brief(hover.item); tip.hidden = false;
    tip.style.left = clamp(p.x + 14, 4, Math.max(lane.width - tip.offsetWidth - 6, 4)) + 'px';
    const box = $('scroll'), below = p.y + 18 + tip.offsetHeight < box.scrollTop + box.clientHeight;
    tip.style.top = (below ? p.y + 16 : p.y - tip.offsetHeight - 10) + 'px';
  } else tip.hidden = true;
  redraw();
}
function unpoint() { hover.t = -1; hover.item = null; $('tip').hidden = true; redraw(); }

const acts = {
  in: () => zoom(.6), out: () => zoom(1 / .6), left: () => pan(-.25), right: () => pan(.25), all: () => show(0, until), aim: () => { aim(); if (focus && byIndex.has(focus.main)) choose({ what: 'op', i: byIndex.get(focus.main) }); },
  faultNext: () => step('fault', 1), faultBack: () => step('fault', -1), opNext: () => step('op', 1), opBack: () => step('op', -1),
  leadNext: () => lead(1), leadBack: () => lead(-1), help: () => $('help').showModal(), find: () => $('find').focus(), drop: () => { choose(null); unpoint(); },
};
const keysOf = { ArrowLeft: 'left', ArrowRight: 'right', ArrowUp: 'in', ArrowDown: 'out', '+': 'in', '=': 'in', '-': 'out', Home: 'all', End: 'aim', n: 'opNext', N: 'opBack', f: 'faultNext', F: 'faultBack', l: 'leadNext', L: 'leadBack', '/': 'find', Escape: 'drop', '?': 'help' };

function key(e) {
  if (e.ctrlKey || e.metaKey || e.altKey || $('help').open || !keysOf[e.key]) return;
  if (['ArrowUp', 'ArrowDown'].includes(e.key) && e.target !== $('stage') && e.target !== document.body) return; // lists scroll
  acts[keysOf[e.key]]();
  e.preventDefault();
}

// step goes to the next one of a kind from what is chosen, or from the middle of the view.
function step(what, by) {
  const start = what === 'op' ? o => o.call : f => f.at, all = what === 'op' ? ops : faults;
  const near = what === 'op' && focus && focus.key ? i => ops[i].key === focus.key || told.has(ops[i].i) : () => true;
  const sorted = all.map((_, i) => i).filter(near).sort((a, b) => start(all[a]) - start(all[b]) || a - b);
  if (!sorted.length) return;
  let k = chosen && chosen.what === what ? sorted.indexOf(chosen.i) : -1;
  if (k >= 0) k = clamp(k + by, 0, sorted.length - 1);
  else {
    const mid = (view.from + view.to) / 2, after = sorted.findIndex(i => start(all[i]) >= mid);
    k = by > 0 ? (after < 0 ? sorted.length - 1 : after) : (after < 0 ? sorted.length : Math.max(after, 1)) - 1;
  }
  choose({ what, i: sorted[k] }, true);
}

function lead(by) {
  const led = roles.filter(r => r.state === 'leader').sort((a, b) => a.at - b.at);
  const from = chosen && chosen.what === 'role' ? chosen.t : (view.from + view.to) / 2;
  const r = by > 0 ? led.find(l => l.at > from + 1) : led.filter(l => l.at < from - 1).pop();
  if (r) choose({ what: 'role', m: r.m, t: r.at, i: last(rolesOf[r.m], r.at, at) }, true);
}

let hits = [], hit = -1;
function search() {
  const text = $('find').value.trim().toLowerCase();
  hits = []; hit = -1; found = new Set();
  if (text) {
    ops.forEach((o, i) => { if (matches(text, `p${o.p}`, members[o.m] || '', o.op, o.out) || o.key.toLowerCase().includes(text) || o.asks.toLowerCase().includes(text) || o.came.toLowerCase().includes(text)) { hits.push({ what: 'op', i, t: o.call }); found.add(i); } });
    faults.forEach((f, i) => { if (`${f.kind} #${f.id} ${f.text}`.toLowerCase().includes(text)) hits.push({ what: 'fault', i, t: f.at }); });
    hits.sort((a, b) => a.t - b.t);
  }
  $('found').textContent = text ? (hits.length ? `${hits.length} found: Enter` : 'nothing found') : '';
  redraw();
}
const matches = (text, ...whole) => whole.some(w => w.toLowerCase() === text);

function goFound(by) {
  if (!hits.length) return;
  hit = (hit + by + hits.length) % hits.length;
  choose({ what: hits[hit].what, i: hits[hit].i }, true);
  $('found').textContent = `${hit + 1} of ${hits.length}`;
}

// Colours: the system's, unless the switch says otherwise.
let theme = 'auto';
function switchTheme() {
  theme = { auto: 'light', light: 'dark', dark: 'auto' }[theme];
  paint();
}
function paint() {
  const dark = theme === 'dark' || theme === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches;
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  $('theme').textContent = 'colours: ' + theme;
  hatches.clear();
  readColors();
  redraw();
}
