// What is under the pointer, and the details of what was chosen.
function pick(x, y) {
  if (x < lane.gutter) return null;
  for (let n = lane.faults.length - 1; n >= 0; n--) {
    const b = faultBox(n);
    if (x >= b.x - 2 && x <= b.x + b.w + 2 && y >= b.y && y <= b.y + b.h) return { what: 'fault', i: lane.faults[n].i };
  }
  for (const l of lane.clients) {
    if (y < l.y || y >= l.y + CLIENT) continue;
    let best = null, far = 6;
    for (let i = 0; i < ops.length; i++) {
      if (ops[i].p !== l.p) continue;
      const b = opBox(ops[i]), d = Math.max(b.x - x, x - b.x - b.w, 0);
      if (d < far) { far = d; best = { what: 'op', i }; }
    }
    return best;
  }
  for (const l of lane.members) {
    if (y < l.y || y > l.y + STRIP) continue;
    const r = last(rolesOf[l.m], T(x), at);
    return { what: 'role', m: l.m, t: T(x), i: r };
  }
  let best = null, far = 5;
  for (const i of visible) {
    const p = flightLine(flights[i]);
    const dx = p.x2 - p.x1, dy = p.y2 - p.y1, u = clamp(((x - p.x1) * dx + (y - p.y1) * dy) / (dx * dx + dy * dy || 1), 0, 1);
    const d = Math.hypot(x - p.x1 - u * dx, y - p.y1 - u * dy);
    if (d < far) { far = d; best = { what: 'flight', i }; }
  }
  return best;
}

// brief is what the tip says.
function brief(it) {
  switch (it.what) {
    case 'op': return `${ops[it.i].asks}; ${ops[it.i].came}`;
    case 'fault': return `${faults[it.i].kind} #${faults[it.i].id}: ${faults[it.i].text}`;
    case 'flight': return says(flights[it.i]);
    case 'role': { const s = stands(it.m, it.t); return `${members[it.m]}: ${s.role}${s.term ? ' of term ' + s.term : ''}`; }
  }
  return '';
}

function says(f) {
  let text = `${members[f[FROM]]} → ${members[f[TO]]}: ${kinds[f[KIND]]}`;
  if (is(f, 'AppendEntries')) text += f[ENTRIES] ? `, ${f[ENTRIES]} after index ${f[INDEX]}` : ', a heartbeat';
  if (is(f, 'RequestVote answer', 'RequestPreVote answer', 'AppendEntries answer', 'InstallSnapshot answer')) text += f[WHAT] & YES ? ': yes' : ': no';
  text += f[FLIGHT] < 0 ? '; it never arrives' : f[WHAT] & HELD ? `; held up, ${took(f[FLIGHT])} on its way` : `; ${took(f[FLIGHT])} on its way`;
  return text;
}

function pairs(...of) {
  const dl = el('dl');
  for (const [k, v] of of) if (v !== undefined && v !== null && v !== '') dl.append(el('dt', {}, k), el('dd', {}, String(v)));
  return dl;
}

function choose(it, bring) {
  chosen = it;
  if (it && bring) bringIntoView(it);
  details();
  markStory();
  redraw();
}

function bringIntoView(it) {
  const [from, to] = it.what === 'op' ? [ops[it.i].call, ops[it.i].ret] : it.what === 'fault' ? [faults[it.i].at, faults[it.i].end] :
    it.what === 'flight' ? [flights[it.i][SENT], flights[it.i][SENT] + Math.max(flights[it.i][FLIGHT], 0)] : [it.t, it.t];
  const width = view.to - view.from;
  if (from < view.from + width * .04 || to > view.to - width * .04) {
    const wide = Math.max(width, (to - from) * 1.4), mid = to - from > width ? (from + to) / 2 : (from + Math.min(to, from + width * .7)) / 2;
    show(mid - wide / 2, mid + wide / 2);
  }
  if (it.what === 'op') scrollToLane(lane.byProcess.get(ops[it.i].p).y);
}

function scrollToLane(y) {
  const box = $('scroll');
  if (y - 26 < box.scrollTop) box.scrollTop = y - 60;
  if (y + CLIENT + 8 > box.scrollTop + box.clientHeight) box.scrollTop = y + CLIENT + 34 - box.clientHeight;
}

function details() {
  const box = $('details');
  box.replaceChildren(el('h2', {}, 'Details'));
  if (!chosen) {
    box.append(el('p', { class: 'empty' }, 'Choose an operation, a message, a fault or a member’s role: click it, or press N for the next operation and F for the next fault.'));
    return;
  }
  box.append(...({ op: opDetails, fault: faultDetails, flight: flightDetails, role: roleDetails })[chosen.what](chosen));
}

function opDetails({ i }) {
  const o = ops[i], out = [el('p', { class: 'lead' }, o.asks), el('p', {}, o.came)];
  if (focus && focus.main === o.i) out.push(el('p', { class: 'badtext' }, unordered ? 'No order of the operations allows this one.' : `This is what ${focus.checker} found to be wrong.`));
  else if (told.has(o.i)) out.push(el('p', { class: 'badtext' }, `What ${focus.checker} found is about this one, too.`));
  if (D.order) for (const n of list(D.order.next)) if (n.i === o.i) out.push(el('p', {}, 'It cannot follow: ' + n.state + '.'));
  const place = placedAt.get(o.i);
  out.push(pairs(['called', seconds(o.call)], ['returned', seconds(o.ret)], ['took', took(o.ret - o.call)], ['outcome', o.out], ['key', o.key],
    ['index', o.at], ['asked', o.m >= 0 ? members[o.m] : ''], ['client', 'p' + o.p], ['error', o.error], ['in the order', place ? `${place.n} of ${D.order.of}` : '']));
  return out;
}

function faultDetails({ i }) {
  const f = faults[i], lasts = f.end > f.at;
  return [el('p', { class: 'lead' }, `${f.kind} #${f.id}`), el('p', {}, f.text),
    pairs(['from', seconds(f.at)], ['until', lasts ? seconds(f.end) : ''], ['lasts', lasts ? took(f.end - f.at) : ''],
      ['strikes', list(f.members).length ? f.members.map(m => members[m]).join(', ') : 'all members'],
      ['took effect', f.struck === 0 ? 'never' : f.struck === 1 ? 'once' : f.struck + ' times'])];
}

function flightDetails({ i }) {
  const f = flights[i];
  return [el('p', { class: 'lead' }, says(f)), pairs(['sent', seconds(f[SENT])], ['arrived', f[FLIGHT] < 0 ? 'never' : seconds(f[SENT] + f[FLIGHT])],
    ['on its way', f[FLIGHT] < 0 ? '' : took(f[FLIGHT])], ['bytes', f[BYTES]], ['term', f[TERM] || ''],
    [is(f, 'AppendEntries') ? 'previous index' : 'last index', f[INDEX] || ''], ['entries', f[ENTRIES] || ''], ['commit index', f[COMMIT] || ''],
    ['lost on the way', f[WHAT] & AGAIN ? 'yes, and sent again' : '']), ];
}

function roleDetails({ m, t }) {
  const s = stands(m, t);
  return [el('p', { class: 'lead' }, `${members[m]} at ${seconds(t)}: ${s.role}${s.term ? ' of term ' + s.term : ''}`),
    pairs(['since', s.since !== undefined ? seconds(s.since) : ''], ['applied', s.applied ? `log index ${s.applied.log}, X-Etcd-Index ${s.applied.store || 0}` : ''],
      ['commit index', s.commit ? s.commit.log : ''])];
}
