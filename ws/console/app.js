// The console: asks for a key (or takes #apikey=…), watches every change, shows state and figures,
// searches the indexes, and has the deliveries that were given up.
import { Feed } from './feed.js';
import { Letters } from './letters.js';
import { Realtime } from './realtime.js';
import { Search } from './search.js';

const KEY_NAME = 'walcast.apikey';
const SPARK_SECONDS = 60;
const NOTHING_YET = 'Connected. Nothing has changed yet; the next committed change shows here.';
const $ = (id) => document.getElementById(id);
const feed = new Feed($('rows'));
const letters = new Letters({ rows: $('letters-rows'), note: $('letters-note'), more: $('letters-more'),
  trigger: $('letters-trigger'), reload: $('letters-reload'), selected: $('letters-selected'),
  every: $('letters-every'), actions: $('letters-actions') });
const search = new Search({ view: $('find'), list: $('find-list'), name: $('find-name'), facts: $('find-facts'),
  empty: $('find-empty'), trouble: $('find-trouble'), note: $('find-note'), controls: $('find-controls'), words: $('find-words'),
  filter: $('find-filter'), sort: $('find-sort'), chosen: $('find-chosen'), problem: $('find-problem'),
  summary: $('find-summary'), table: $('find-table'), rows: $('find-rows'), pages: $('find-pages'),
  facets: $('find-facets'), facetsBox: $('find-facets-box') });
const views = { letters, find: search };
const perSecond = new Array(SPARK_SECONDS).fill(0);
let realtime;
let total = 0;
let delays = [];

const STATES = {
  connecting: ['joining', 'connecting'],
  joining: ['joining', 'subscribing'],
  live: ['live', 'live'],
  waiting: ['error', 'reconnecting'],
  refused: ['error', 'refused'],
  barred: ['error', 'not watching'],
  closed: ['closed', 'not connected'],
};

function showState(name, detail) {
  const [kind, text] = STATES[name];
  $('state').dataset.state = kind;
  $('state').lastElementChild.textContent = detail ? `${text}: ${detail}` : text;
  $('state').title = detail ?? '';
  $('empty').textContent = name === 'barred' ? detail : NOTHING_YET;
  if (name === 'refused') signOut(detail);
}

function showChange(change, receivedAt) {
  total++;
  perSecond[perSecond.length - 1]++;
  delays.push(Math.max(0, receivedAt - Date.parse(change.commit_timestamp)));
  feed.add(change);
}

function showSpark() {
  const most = Math.max(1, ...perSecond);
  const points = perSecond.map((count, i) =>
    `${(i * 120 / (SPARK_SECONDS - 1)).toFixed(1)},${(26 - 24 * count / most).toFixed(1)}`);
  $('spark').firstElementChild.setAttribute('d', `M${points.join('L')}`);
}

function eachSecond() {
  delays.sort((left, right) => left - right);
  $('rate').textContent = perSecond.at(-1).toLocaleString();
  if (delays.length) $('delay').textContent = `${delays[delays.length >> 1]} ms`;
  showSpark();
  perSecond.push(0);
  perSecond.shift();
  delays = [];
}

function eachFrame() {
  $('total').textContent = total.toLocaleString();
  if ($('pause').ariaPressed === 'true') $('pause').textContent = `Resume (${feed.held} held)`;
  requestAnimationFrame(eachFrame);
}

// One of the views, or none while nobody is signed in.
function showView(name) {
  for (const button of $('views').children) {
    button.ariaPressed = String(button.dataset.view === name);
    $(button.dataset.view).hidden = button.dataset.view !== name;
  }
  $('views').hidden = !name;
  for (const [other, view] of Object.entries(views)) {
    if (other === name) view.open(sessionStorage.getItem(KEY_NAME));
    else view.close();
  }
}

function signIn(key) {
  sessionStorage.setItem(KEY_NAME, key);
  $('problem').hidden = true;
  $('sign-in').hidden = true;
  $('forget').hidden = false;
  showView('live');
  realtime = new Realtime(key, { state: showState, change: showChange });
}

function signOut(problem) {
  realtime?.close();
  realtime = undefined;
  sessionStorage.removeItem(KEY_NAME);
  $('sign-in').hidden = false;
  $('forget').hidden = true;
  showView();
  $('problem').hidden = !problem;
  $('problem').textContent = problem ?? '';
}

// A key in the address is taken out of it at once, so that it is not copied with it.
function keyFromAddress() {
  const key = new URLSearchParams(location.hash.slice(1)).get('apikey');
  if (key) history.replaceState(null, '', location.pathname);
  return key;
}

$('sign-in').addEventListener('submit', (event) => {
  event.preventDefault();
  const key = $('key').value.trim();
  $('key').value = '';
  if (key) signIn(key);
});
for (const button of $('views').children) button.addEventListener('click', () => showView(button.dataset.view));
$('forget').addEventListener('click', () => signOut());
$('clear').addEventListener('click', () => feed.clear());
$('search').addEventListener('input', (event) => feed.filterText(event.target.value));
$('pause').addEventListener('click', (event) => {
  const paused = event.currentTarget.ariaPressed !== 'true';
  event.currentTarget.ariaPressed = String(paused);
  event.currentTarget.textContent = 'Pause';
  feed.pause(paused);
});
for (const button of $('ops').children) {
  button.addEventListener('click', () => {
    const shown = button.ariaPressed !== 'true';
    button.ariaPressed = String(shown);
    feed.filterOp(button.dataset.op, shown);
  });
}
feed.onShown = (count) => { $('empty').hidden = count > 0; };
setInterval(eachSecond, 1000);
eachFrame();
const key = keyFromAddress() ?? sessionStorage.getItem(KEY_NAME);
if (key) signIn(key);
