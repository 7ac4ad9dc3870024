// The page opens at what was found, with the failing operation in view, and marked.
paint();
panels();
layout();
inputs();
details();
aim();
$('failing').textContent = '✕ ' + (focus ? focus.checker : '');
$('failing').setAttribute('aria-label', 'what was found');
if (focus && byIndex.has(focus.main)) {
  chosen = { what: 'op', i: byIndex.get(focus.main) };
  details();
  markStory();
  scrollToLane(lane.byProcess.get(ops[chosen.i].p).y);
}
drawAll();
const box = $('failing').getBoundingClientRect();
if (!$('failing').hidden && (box.bottom > innerHeight || box.top < 0)) $('scroll').scrollIntoView({ block: 'end' });
setInterval(() => { if (statusLine.at !== view.from + ':' + view.to + visible.length) { statusLine.at = view.from + ':' + view.to + visible.length; statusLine(); } }, 120);
document.documentElement.dataset.ready = 'yes';
