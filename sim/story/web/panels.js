// The words around the picture: verdict, counts, story, finding, order, facts.
function panels() {
  document.body.className = D.verdict === 'ok' ? 'green' : 'red';
  $('badge').textContent = D.verdict === 'ok' ? 'green' : D.verdict;
  $('title').textContent = D.title;
  const n = D.count;
  // Counted from what is drawn, and what was left out of it.
  const leaderTerms = new Set(roles.filter(r => r.state === 'leader').map(r => r.term));
  const counted = [['operations', ops.length + D.left_out.operations, 'operations'], ['faults', faults.reduce((s, f) => s + f.struck, 0), 'faults'],
    ['leader-changes', Math.max(leaderTerms.size - 1, 0), 'leader changes'], ['installs', n.installs, 'snapshots installed'], ['messages', n.messages, 'messages']];
  for (const [id, value, name] of counted) $('counts').append(el('div', {}, el('dt', {}, name), el('dd', { 'data-count': id }, String(value))));
  storyPanel();
  findingPanel();
  orderPanel();
  factsPanel();
  legendPanel();
  helpPanel();
}

function storyPanel() {
  for (const l of lines) {
    const main = focus && l.op >= 0 && l.op === focus.main;
    const go = () => {
      const it = byIndex.has(l.op) ? { what: 'op', i: byIndex.get(l.op) } : l.fault >= 0 ? { what: 'fault', i: faults.findIndex(f => f.index === l.fault) } : null;
      if (it && it.i >= 0) choose(it, true);
      else { chosen = null; details(); const w = Math.min(view.to - view.from, 2e9); show(l.at - w / 2, l.at + w / 2); }
    };
    $('story').append(el('li', { class: l.kind + (main ? ' main' : ''), 'data-op': l.op }, el('button', { onclick: go }, el('time', {}, (l.at / 1e9).toFixed(6)), l.text)));
  }
  if (!lines.length) $('story').append(el('li', { class: 'empty' }, 'Nothing happened.'));
  if (D.left_out.lines) $('story').append(el('li', { class: 'empty' }, `${D.left_out.lines} more lines are left out.`));
}

function markStory() {
  for (const li of document.querySelectorAll('#story li')) li.classList.toggle('here', !!chosen && chosen.what === 'op' && Number(li.dataset.op) === ops[chosen.i].i);
}

function findingPanel() {
  const box = $('finding'), found = list(D.finding);
  box.append(el('h2', {}, D.verdict === 'ok' ? 'Nothing was found' : D.fired ? 'Found by ' + D.fired : D.verdict));
  found.forEach((text, i) => {
    box.append(el('p', { class: text === D.promise ? 'promise' : i === 0 ? 'first' : /^\s|^-/.test(text) ? 'item' : '' }, text));
  });
  if (!found.length) box.append(el('p', {}, 'Every checker that was asked agrees with every answer: ' + list(D.checks).filter(c => c.of > 0).map(c => `${c.name} (${c.of})`).join(', ') + '.'), ...list(D.facts).map(f => el('p', { class: 'promise' }, f)));
}

function orderPanel() {
  if (!D.order) return;
  const box = $('order'), shownFirst = 12, o = D.order, placed = list(o.placed);
  box.hidden = false;
  box.append(el('h2', {}, 'Why no order explains it'),
    el('p', {}, `The longest order of the operations on ${o.key || 'the whole tree'} explains ${o.before + placed.length} of ${o.of}. In the picture it is the dotted path: each operation at the earliest point that the order leaves it.`));
  const row = (p, n, cls) => el('li', { class: cls }, el('button', { onclick: () => { if (byIndex.has(p.i)) { choose({ what: 'op', i: byIndex.get(p.i) }, true); $('picture').scrollIntoView({ block: 'nearest' }); } } },
    el('span', { class: 'n' }, n), el('span', { class: 't' }, (p.at / 1e9).toFixed(6)), el('span', {}, p.text), el('span', { class: 's' }, p.state)));
  const ol = el('ol'), from = Math.max(placed.length - shownFirst, 0);
  const fill = first => ol.replaceChildren(...placed.slice(first).map((p, k) => row(p, String(o.before + first + k + 1), 'yes')));
  if (from > 0) {
    const more = el('button', { class: 'more', onclick: () => { fill(0); more.remove(); } }, `show the ${from} before`);
    box.append(more);
  }
  fill(from);
  box.append(ol, el('h3', {}, 'None of these can follow'), el('ol', {}, ...list(o.next).map(p => row(p, '✕', 'no'))));
  if (o.before) box.append(el('p', { class: 'empty' }, `The first ${o.before} of the order are left out.`));
}

function factsPanel() {
  const left = D.left_out, lack = [];
  if (left.messages) lack.push(`${left.messages} of ${D.count.messages} messages`);
  if (left.operations) lack.push(`${left.operations} of ${D.count.operations} operations`);
  if (left.faults) lack.push(`${left.faults} faults`);
  if (left.steps) lack.push(`${left.steps} steps of applied and commit indices`);
  if (left.lines) lack.push(`${left.lines} lines of the story`);
  const checks = el('table', {}, ...list(D.checks).map(c => el('tr', {}, el('td', {}, c.name), el('td', { class: c.verdict === 'ok' ? '' : 'badtext' }, c.verdict), el('td', {}, `${c.of} looked at`))));
  $('facts').append(el('div', { class: 'cols' },
    el('div', {}, el('h2', {}, 'Checked'), list(D.checks).length ? checks : el('p', { class: 'empty' }, 'The checkers were not asked.')),
    el('div', {}, el('h2', {}, 'Played'), ...list(D.facts).concat(list(D.plan)).map(f => el('p', {}, f))),
    el('div', {}, el('h2', {}, 'Again'), el('p', {}, `holdfast-sim replay ${D.log || 'FILE'}`), el('p', {}, `made with module ${D.module}, by a simulator of commit ${D.commit || 'unknown'}`),
      el('h2', { style: 'margin-top:14px' }, 'Left out of this page'), el('p', { 'data-left-out': lack.length }, lack.length ? lack.join(', ') + '. What is farthest from what was found goes first.' : 'Nothing.'))));
}

function legendPanel() {
  const svg = (...paths) => {
    const ns = 'http://www.w3.org/2000/svg', s = document.createElementNS(ns, 'svg');
    s.setAttribute('width', 20); s.setAttribute('height', 12);
    for (const [tag, attrs] of paths) { const p = document.createElementNS(ns, tag); for (const [k, v] of Object.entries(attrs)) p.setAttribute(k, v); s.append(p); }
    return s;
  };
  const box = (fill, line, dash) => svg(['rect', { x: 1, y: 1, width: 18, height: 10, fill: fill, stroke: line, 'stroke-dasharray': dash || '' }]);
  const stroke = (color, dash) => svg(['path', { d: 'M1 1L19 11', stroke: color, 'stroke-width': 1.8, 'stroke-dasharray': dash || '' }]);
  const add = (icon, text) => $('legend').append(el('span', {}, icon, text));
  add(box('var(--leader)', 'none'), 'leader'); add(box('var(--candidate)', 'none'), 'candidate'); add(box('var(--follower)', 'none'), 'follower');
  add(svg(['path', { d: 'M0 6H7M3 2L11 10M11 2L3 10M13 6H20', stroke: 'var(--ink)', 'stroke-width': 1.6 }]), 'dies');
  add(svg(['path', { d: 'M1 10H9V3H19', stroke: 'var(--applied)', fill: 'none', 'stroke-width': 2 }]), 'applied');
  add(svg(['path', { d: 'M1 10H9V3H19', stroke: 'var(--commit)', fill: 'none', 'stroke-width': 1.4, 'stroke-dasharray': '3 2' }]), 'commit');
  add(svg(['path', { d: 'M10 1L15 6L10 11L5 6Z', fill: 'var(--install)' }]), 'snapshot'); add(box('var(--faultsoft)', 'var(--fault)'), 'fault');
  add(box('var(--write)', 'var(--write)'), 'change'); add(box('var(--read)', 'var(--readline)'), 'read'); add(box('var(--fail)', 'var(--failline)'), 'refused');
  add(box('none', 'var(--unknown)', '2 2'), 'unknown');
  for (const g of groups) {
    if (!groupOf.includes(groups.indexOf(g))) continue;
    const b = el('button', { 'aria-pressed': 'true', title: 'show or hide', onclick: () => {
      if (off.has(g.id)) off.delete(g.id); else off.add(g.id);
      b.setAttribute('aria-pressed', String(!off.has(g.id))); redraw();
    } }, stroke(`var(${g.color})`), g.name);
    $('legend').append(b);
  }
  if (flights.length) add(stroke('var(--held)', '4 2'), 'held up or lost');
}

function helpPanel() {
  const keys = [['← →', 'earlier, later'], ['+ −', 'zoom in, out (also ↑ ↓, and the wheel)'], ['Home', 'the whole run'], ['End', 'what was found'],
    ['N, shift N', 'next operation, the one before (of the key that the finding is about, if there is one)'], ['F, shift F', 'next fault, the one before'], ['L, shift L', 'next change of the leader, the one before'],
    ['/', 'find: a key, a value, p4, m2, a kind of fault or of operation; Enter goes on to the next'], ['Esc', 'let go of what is chosen'], ['?', 'this help']];
  $('help').append(el('h2', {}, 'Keys'), el('table', {}, ...keys.map(([k, t]) => el('tr', {}, el('td', {}, ...k.split(', ').flatMap((one, i) => i ? [' ', el('kbd', {}, one)] : [el('kbd', {}, one)])), el('td', {}, t)))),
    el('p', {}, 'Drag to move, turn the wheel or pinch to zoom, click for details. Hold the pointer anywhere: the left edge tells what each member is then.'),
    el('form', { method: 'dialog' }, el('button', {}, 'close')));
}

function statusLine() {
  const parts = [`${seconds(Math.max(view.from, 0), 3)} to ${seconds(Math.min(view.to, until), 3)}`];
  parts.push(`${visible.length} messages drawn` + (drawFlights.hidden ? `, ${drawFlights.hidden} heartbeats and answers hidden: zoom in to see them` : ''));
  if (D.left_out.messages) parts.push(`${D.left_out.messages} messages are not in this page`);
  if (D.left_out.operations) parts.push(`${D.left_out.operations} operations are not in this page`);
  $('status').textContent = parts.join(' · ');
}
