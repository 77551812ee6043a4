// The page begins here: what it looks like, when it is drawn, what is drawn over the points.

const THEMES = ['system', 'light', 'dark'];
const systemDark = matchMedia('(prefers-color-scheme: dark)');
const calm = matchMedia('(prefers-reduced-motion: reduce)');
let theme = 'system';
let look = null;

const rgb = (written) => written.match(/[\d.]+/g).slice(0, 3).map(Number);
const hex = (written) => [1, 3, 5].map((at) => parseInt(written.slice(at, at + 2), 16));

function readLook() {
  const dark = theme === 'dark' || (theme === 'system' && systemDark.matches);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  const style = getComputedStyle(document.body);
  look = {paper: rgb(style.backgroundColor), ink: rgb(style.color), palette: facts[dark ? 'dark' : 'light'].map(hex)};
}

function nextTheme() {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  byId('theme').setAttribute('aria-label', theme === 'system' ? 'Colours: as the system' : `Colours: ${theme}`);
  readLook();
  redraw();
}

let wanted = '';
function redraw(what = 'all') {
  if (wanted === '') requestAnimationFrame(draw);
  if (wanted !== 'all') wanted = what;
}

let listTimer = 0;
function draw() {
  const what = wanted;
  wanted = '';
  if (what === 'all') {
    painter.paint(look);
    if (openedPanel() === 'list' && shown.marked === null) {
      clearTimeout(listTimer);
      listTimer = setTimeout(showList, 250);
    }
  }
  drawOver();
}

// Names, rings and lines: what lies over the points.
function drawOver() {
  const canvas = byId('over');
  const context = canvas.getContext('2d');
  const ratio = canvas.width / eye.width;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, eye.width, eye.height);
  drawn.names = names.place(context, isNamed, covered());
  names.write(context, drawn.names, look);
  drawLinks(context);
  for (const row of new Set([shown.under, shown.current, ...shown.linked])) if (row >= 0) drawRing(context, row, row === shown.current);
  if (hand.lasso) drawLasso(context);
}

// A cluster's name is shown where the cluster is, and where something of it stands out.
const isNamed = (cluster) => isShownCluster(cluster);

// Where a name would lie under the title, the search or the tools.
function covered() {
  const stage = byId('map').getBoundingClientRect();
  return ['title', 'lead', 'search', 'tools'].map((id) => {
    const box = byId(id).getBoundingClientRect();
    return {left: box.left - stage.left - 6, right: box.right - stage.left + 6, top: box.top - stage.top - 4, bottom: box.bottom - stage.top + 4};
  });
}

const onScreen = (row) => [screenX(points[2 * row]), screenY(points[2 * row + 1])];

function drawLinks(context) {
  if (shown.current < 0) return;
  context.strokeStyle = `rgb(${look.ink.join(' ')} / 0.35)`;
  context.lineWidth = 1;
  context.beginPath();
  for (const row of shown.linked) {
    context.moveTo(...onScreen(shown.current));
    context.lineTo(...onScreen(row));
  }
  context.stroke();
}

function drawRing(context, row, strong) {
  const [x, y] = onScreen(row);
  const size = Math.max(3, painter.radius());
  const cluster = clusterOf(row);
  const colour = look.palette[cluster === NOISE ? look.palette.length - 1 : facts.colours[cluster]];
  context.beginPath();
  context.arc(x, y, size + (strong ? 2 : 1), 0, 7);
  context.fillStyle = `rgb(${colour.join(' ')})`;
  context.fill();
  context.lineWidth = strong ? 2.5 : 1.5;
  context.strokeStyle = `rgb(${look.ink.join(' ')})`;
  context.stroke();
}

function drawLasso(context) {
  context.beginPath();
  hand.lasso.forEach(([x, y]) => context.lineTo(x, y));
  context.closePath();
  context.fillStyle = `rgb(${look.ink.join(' ')} / 0.08)`;
  context.fill();
  context.setLineDash([5, 4]);
  context.lineWidth = 1.5;
  context.strokeStyle = `rgb(${look.ink.join(' ')} / 0.8)`;
  context.stroke();
  context.setLineDash([]);
}

// Move the eye, in a quarter of a second unless the reader wants it still.
let flight = 0;
function fly(to) {
  cancelAnimationFrame(flight);
  if (calm.matches) {
    Object.assign(eye, to);
    redraw();
    return;
  }
  const from = {x: eye.x, y: eye.y, scale: eye.scale};
  const begun = performance.now();
  const frame = () => {
    const part = Math.min(1, (performance.now() - begun) / 250);
    const eased = part * (2 - part);
    eye.x = from.x + (to.x - from.x) * eased;
    eye.y = from.y + (to.y - from.y) * eased;
    eye.scale = from.scale * Math.pow(to.scale / from.scale, eased);
    redraw();
    if (part < 1) flight = requestAnimationFrame(frame);
  };
  frame();
}

// Moves the eye where one of these points is not seen well.
function bringIntoView(rows) {
  const places = rows.map(onScreen);
  if (places.every(([x, y]) => x > 40 && y > 80 && x < eye.width - 40 && y < eye.height - 40)) return;
  const [xs, ys] = [rows.map((row) => points[2 * row]), rows.map((row) => points[2 * row + 1])];
  const [wide, high] = [Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)];
  const fits = Math.min((eye.width - 160) / (wide || 1e-9), (eye.height - 200) / (high || 1e-9));
  fly({
    x: (Math.max(...xs) + Math.min(...xs)) / 2,
    y: (Math.max(...ys) + Math.min(...ys)) / 2,
    scale: Math.max(eye.home / 2, Math.min(eye.scale, fits)),
  });
}

function resize() {
  const box = byId('stage').getBoundingClientRect();
  const first = eye.width === 1;
  const atHome = first || Math.abs(eye.scale / eye.home - 1) < 1e-6;
  [eye.width, eye.height] = [Math.max(1, box.width), Math.max(1, box.height)];
  painter.resize(eye.width, eye.height);
  const ratio = Math.min(window.devicePixelRatio || 1, 3);
  [byId('over').width, byId('over').height] = [Math.round(eye.width * ratio), Math.round(eye.height * ratio)];
  const whole = home();
  if (atHome) Object.assign(eye, whole);
  eye.home = whole.scale;
  wanted = wanted || 'all';
  draw(); // at once: a canvas that was resized is empty
}

function describe() {
  const laid = {pca: 'principal components', neighbours: 'near texts lie near each other'}[facts.layout];
  byId('title').textContent = shortened(facts.title, 80);
  byId('lead').textContent = `${plural(count, 'text', 'texts')}, ${plural(facts.names.length, 'cluster', 'clusters')}; ${laid}`;
  byId('map').setAttribute('aria-label', `${shortened(facts.title, 80)}: ${plural(count, 'text', 'texts')} in the plane`);
  byId('tab-pairs').textContent = facts.pairs.left.length ? `Duplicates ${number(facts.pairs.left.length)}` : 'Duplicates';
  const sheet = document.styleSheets[0];
  for (const kind of ['light', 'dark']) {
    facts[kind].forEach((colour, at) => sheet.insertRule(`[data-theme=${kind}] .c${at} { background: ${colour}; }`));
  }
}

// For tests and for the curious: what was drawn, and where a text stands on the screen.
const drawn = {at: 0, names: [], where: (row) => onScreen(row), texts: count};
window.nearsense = drawn;

readLook();
describe();
orderPairs('score');
showClusters();
resize();
drawn.at = performance.now();
recall();
document.addEventListener('DOMContentLoaded', () => { // from here on the texts are there
  listen();
  listenToTabs();
  showText();
  new ResizeObserver(() => resize()).observe(byId('stage'));
  systemDark.addEventListener('change', () => { readLook(); redraw(); });
  drawn.ready = true;
});
