// Opens pages that "holdfast-sim report" wrote, in Debian's chromium, and holds them against the run's history and report.
//
//   node check.mjs OUT PAGE...
//
// Beside each PAGE.html lie PAGE.hist (report --history) and PAGE.json (report --report). Pictures go to the directory OUT.
import { readFileSync, mkdirSync, mkdtempSync, rmSync, existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { tmpdir } from 'node:os';
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const [out, ...pages] = process.argv.slice(2);
if (!out || pages.length === 0) {
  console.error('check.mjs: no pages; use: node check.mjs OUT PAGE...');
  process.exit(2);
}
const browserPath = process.env.CHROMIUM || '/usr/bin/chromium';
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
mkdirSync(out, { recursive: true });

// What a script finds in the history and the report, without the page.
function facts(page) {
  const base = page.replace(/\.html$/, '');
  const history = readFileSync(base + '.hist', 'utf8').split('\n').filter(Boolean).map(l => JSON.parse(l));
  const report = JSON.parse(readFileSync(base + '.json', 'utf8'));
  return {
    report, history,
    operations: history.length,
    faults: Object.values(report.counts.Faults || {}).reduce((a, b) => a + b, 0),
    leaderChanges: report.stats.leader_changes,
    red: report.verdict !== 'ok',
  };
}

async function check(context, page, name) {
  const want = facts(page), tab = await context.newPage(), asked = [], broken = [];
  tab.on('request', r => asked.push(r.url()));
  tab.on('pageerror', e => broken.push(String(e)));
  tab.on('console', m => { if (m.type() === 'error') broken.push(m.text()); });
  await tab.goto(pathToFileURL(resolve(page)).href);
  await tab.waitForSelector('html[data-ready=yes]');
  const count = async id => Number(await tab.textContent(`[data-count=${id}]`));
  assert.equal(await count('operations'), want.operations, 'operations on the page and in the history');
  assert.equal(await count('faults'), want.faults, 'faults on the page and in the report');
  assert.equal(await count('leader-changes'), want.leaderChanges, 'leader changes on the page and in the report');
  if (want.red) await checkFinding(tab, want);
  else {
    assert.equal(await tab.textContent('#badge'), 'green');
    assert.ok(await tab.locator('#failing').isHidden(), 'nothing is marked in a green run');
  }
  await checkHands(tab);
  assert.deepEqual(broken, [], 'errors in the page');
  assert.deepEqual(asked.filter(u => !u.startsWith('file:') && !u.startsWith('data:')), [], 'requests that leave the page');
  assert.equal(asked.filter(u => u.startsWith('file:')).length, 1, 'files that were read');
  await tab.close();
  return `${name}: ${want.operations} operations, ${want.faults} faults, ${want.leaderChanges} leader changes, ${want.report.verdict}`;
}

// The failing operation is in view and marked; the story names its member, time and key as the history has them.
async function checkFinding(tab, want) {
  const about = await tab.evaluate(() => JSON.parse(document.getElementById('data').textContent).focus);
  const said = (await tab.textContent('#told')).replace(/\s+/g, ' ');
  if (about.main < 0) { // it is about no operation: the time and what was said of it have to be there
    const [head, first] = want.report.detail.split('\n');
    const text = (first || head).replace(/^\s*[\d.]+ s( \S+)?: /, '').slice(0, 40);
    assert.ok(said.includes(text), `the story says what was found: ${text}`);
    assert.ok(await tab.locator('#failing').isVisible(), 'its time is marked');
    return;
  }
  const o = want.history[about.main];
  // Found independently of the page: an operation that the report's own text tells of, by client and time.
  if (want.report.fired !== 'linearizable') {
    assert.ok(want.report.detail.includes(`p${o.process}'s ${o.op} of ${o.key}`), 'the marked operation is one that the report tells of');
    assert.ok(want.report.detail.includes((o.call / 1e9).toFixed(6)), 'at the time that the report tells');
  }
  const member = 'm' + /10\.0\.0\.(\d+)/.exec(o.member)[1];
  for (const [what, text] of [['member', `through ${member}`], ['time', (o.call / 1e9).toFixed(6)], ['key', o.key], ['client', `p${o.process}`]]) {
    assert.ok(said.includes(text), `the story names the ${what}: ${text}`);
  }
  const mark = tab.locator('#failing');
  assert.ok(await mark.isVisible(), 'the failing operation is marked');
  const box = await mark.boundingBox(), stage = await tab.locator('#scroll').boundingBox(), size = tab.viewportSize();
  assert.ok(box.x >= 0 && box.x + box.width <= size.width && box.y >= 0 && box.y + box.height + 20 <= size.height, `the failing operation is in view: ${JSON.stringify(box)}`);
  assert.ok(box.y + 20 >= stage.y && box.y + box.height <= stage.y + stage.height, 'and within the picture');
  assert.ok((await tab.textContent('#details')).includes(o.key), 'its details are shown');
}

// Keys, search, wheel and click do what the help says.
async function checkHands(tab) {
  const span = () => tab.textContent('#status');
  const changed = async (act, what) => {
    const before = await span();
    await act();
    await tab.waitForTimeout(400);
    assert.notEqual(await span(), before, what);
  };
  await tab.locator('#stage').focus();
  await tab.keyboard.press('Home');
  await changed(() => tab.keyboard.press('+'), '+ zooms in');
  await changed(() => tab.keyboard.press('ArrowRight'), 'an arrow moves');
  await changed(() => tab.keyboard.press('Home'), 'Home shows the whole run');
  await changed(async () => { await tab.locator('#chart').hover({ position: { x: 300, y: 120 } }); await tab.mouse.wheel(0, -300); }, 'the wheel zooms');
  await tab.keyboard.press('n');
  assert.match(await tab.textContent('#details'), /called/, 'N chooses an operation');
  await tab.keyboard.press('Escape');
  assert.match(await tab.textContent('#details'), /Choose an operation/, 'Esc lets go of it');
  if (await tab.evaluate(() => (JSON.parse(document.getElementById('data').textContent).faults || []).length > 0)) {
    await tab.keyboard.press('f');
    assert.match(await tab.textContent('#details'), /took effect/, 'F chooses a fault');
  }
  await tab.keyboard.press('/');
  await tab.keyboard.type('ok');
  await tab.keyboard.press('Enter');
  assert.match(await tab.textContent('#found'), /^1 of \d+$/, '/ finds');
  await tab.keyboard.press('Escape');
  await tab.locator('#stage').focus();
  await tab.keyboard.press('?');
  assert.ok(await tab.locator('#help').isVisible(), '? shows the help');
  await tab.keyboard.press('Escape');
  await tab.locator('#theme').click();
  await tab.locator('#theme').click();
  assert.equal(await tab.getAttribute('html', 'data-theme'), 'dark', 'the switch makes it dark');
}

const profile = mkdtempSync(join(tmpdir(), 'report-test-'));
let failed = 0;
try {
  for (const page of pages) {
    const name = basename(page, '.html');
    assert.ok(existsSync(page), `${page}: not there`);
    for (const [look, options] of Object.entries({
      light: { viewport: { width: 1440, height: 900 }, colorScheme: 'light' },
      dark: { viewport: { width: 1440, height: 900 }, colorScheme: 'dark' },
      narrow: { viewport: { width: 390, height: 844 }, colorScheme: 'light', deviceScaleFactor: 2, hasTouch: true },
    })) {
      const context = await chromium.launchPersistentContext(join(profile, name + look), { executablePath: browserPath, headless: true, args: flags, ...options });
      try {
        const tab = await context.newPage();
        await tab.goto(pathToFileURL(resolve(page)).href);
        await tab.waitForSelector('html[data-ready=yes]');
        await tab.waitForTimeout(300);
        await tab.screenshot({ path: join(out, `${name}-${look}.png`) });
        if (look === 'narrow') {
          assert.ok(await tab.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing sticks out on a narrow screen');
        }
        await tab.close();
        console.log('ok', look, await check(context, page, name));
      } catch (e) {
        failed++;
        console.error('FAILED', name, look, e.message);
      } finally {
        await context.close();
      }
    }
  }
} finally {
  rmSync(profile, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
