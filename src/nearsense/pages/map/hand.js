// The reader's hand on the map: mouse, fingers and keys.

const hand = {pointers: new Map(), lasso: null, wantsLasso: false, moved: 0, apart: 0};

const REACH = 9; // pixels around a point that count as on it

function where(event) {
  const box = byId('map').getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function wantLasso(wanted) {
  hand.wantsLasso = wanted;
  byId('lasso').setAttribute('aria-pressed', `${wanted}`);
  byId('map').classList.toggle('lasso', wanted);
}

function down(event) {
  const place = where(event);
  byId('map').setPointerCapture(event.pointerId);
  hand.pointers.set(event.pointerId, place);
  hand.moved = 0;
  hand.lasso = (event.shiftKey || hand.wantsLasso) && hand.pointers.size === 1 ? [place] : null;
  if (hand.pointers.size === 2) hand.apart = distanceApart();
  hideTip();
}

function distanceApart() {
  const [a, b] = [...hand.pointers.values()];
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

function moved(event) {
  const place = where(event);
  const before = hand.pointers.get(event.pointerId);
  if (!before) return hover(place);
  hand.pointers.set(event.pointerId, place);
  const [dx, dy] = [place[0] - before[0], place[1] - before[1]];
  hand.moved += Math.abs(dx) + Math.abs(dy);
  if (hand.lasso) {
    hand.lasso.push(place);
  } else {
    eye.x -= dx / eye.scale / hand.pointers.size;
    eye.y += dy / eye.scale / hand.pointers.size;
    if (hand.pointers.size === 2) {
      const [a, b] = [...hand.pointers.values()];
      const apart = distanceApart();
      zoomAt((a[0] + b[0]) / 2, (a[1] + b[1]) / 2, apart / (hand.apart || apart || 1));
      hand.apart = apart;
    }
  }
  return redraw(hand.lasso ? 'over' : 'all');
}

function up(event) {
  if (!hand.pointers.delete(event.pointerId)) return;
  if (hand.lasso && hand.lasso.length > 2) {
    const rows = inPolygon(hand.lasso, isShown);
    mark(rows.length ? rows : null, 'selection');
    if (rows.length) openPanel('list');
    say(`${plural(rows.length, 'text', 'texts')} selected.`);
    wantLasso(false);
  } else if (hand.moved < 5 && event.type === 'pointerup') {
    const row = nearestOnScreen(...where(event), REACH, isShown);
    if (row >= 0) select(row);
  }
  hand.lasso = null;
  redraw('over');
}

function hover([x, y]) {
  const row = nearestOnScreen(x, y, Math.max(REACH, painter.radius()), isShown);
  if (row !== shown.under) {
    shown.under = row;
    byId('map').classList.toggle('on', row >= 0);
    redraw('over');
  }
  if (row < 0) return hideTip();
  const tip = byId('tip');
  const cluster = clusterOf(row);
  tip.replaceChildren(
    make('b', {dir: 'auto'}, shortened(texts().texts[row], 280)),
    make('span', {}, swatch(cluster), make('bdi', {}, printable(nameOf(cluster)))),
  );
  tip.hidden = false;
  const [wide, high] = [tip.offsetWidth, tip.offsetHeight];
  tip.style.left = `${Math.max(8, Math.min(x + 14, eye.width - wide - 8))}px`;
  tip.style.top = `${y + high + 26 > eye.height ? Math.max(8, y - high - 12) : y + 16}px`;
  return undefined;
}

function hideTip() {
  byId('tip').hidden = true;
  if (shown.under >= 0) {
    shown.under = -1;
    redraw('over');
  }
}

function wheel(event) {
  event.preventDefault();
  const lines = event.deltaMode === 1 ? 16 : 1;
  zoomAt(...where(event), Math.exp(-Math.max(-300, Math.min(300, event.deltaY * lines)) * 0.0022));
  hideTip();
  redraw();
}

const STEP = 60; // pixels that an arrow key moves
const zoomMiddle = (factor) => {
  zoomAt(eye.width / 2, eye.height / 2, factor);
  redraw();
};
const slide = (dx, dy) => {
  eye.x += dx / eye.scale;
  eye.y += dy / eye.scale;
  redraw();
};

const MAP_KEYS = {
  ArrowLeft: () => slide(-STEP, 0), ArrowRight: () => slide(STEP, 0),
  ArrowUp: () => slide(0, STEP), ArrowDown: () => slide(0, -STEP),
};

const ANY_KEYS = {
  '+': () => zoomMiddle(1.35), '=': () => zoomMiddle(1.35), '-': () => zoomMiddle(1 / 1.35),
  '0': () => fly(home()), '/': () => byId('asked').focus(), l: () => wantLasso(!hand.wantsLasso),
  v: () => selectInView(), Escape: () => forget(),
};

function selectInView() {
  const rows = inView(isShown);
  mark(rows, 'selection');
  openPanel('list');
  say(`${plural(rows.length, 'text', 'texts')} in view selected.`);
}

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches?.('input:not([type=checkbox]), select, textarea');
  if (typing && event.key !== 'Escape') return;
  const onMap = event.target === byId('map');
  const tabs = event.target.getAttribute?.('role') === 'tab';
  const act =
    (onMap && MAP_KEYS[event.key]) || (!onMap && !tabs && reviewKey(event.key)) || reviewLetter(event.key) || ANY_KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

function listen() {
  const map = byId('map');
  for (const [name, act] of Object.entries({pointerdown: down, pointermove: moved, pointerup: up, pointercancel: up})) {
    map.addEventListener(name, act);
  }
  map.addEventListener('pointerleave', hideTip);
  map.addEventListener('wheel', wheel, {passive: false});
  map.addEventListener('dblclick', (event) => {
    zoomAt(...where(event), 2);
    redraw();
  });
  document.addEventListener('keydown', key);
  for (const [name, act] of Object.entries({
    in: () => zoomMiddle(1.5), out: () => zoomMiddle(1 / 1.5), whole: () => fly(home()),
    lasso: () => wantLasso(!hand.wantsLasso), theme: nextTheme, next: () => step(1), previous: () => step(-1),
  })) byId(name).addEventListener('click', act);
  let wait = 0;
  byId('asked').addEventListener('input', () => {
    clearTimeout(wait);
    wait = setTimeout(() => find(byId('asked').value), count > 20000 ? 160 : 40);
  });
  byId('search').addEventListener('submit', (event) => {
    event.preventDefault();
    clearTimeout(wait);
    if (search.rows.length === 0 || shown.why !== 'hits') find(byId('asked').value);
    step(1);
  });
  byId('asked').addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && event.shiftKey) {
      event.preventDefault();
      step(-1);
    }
  });
}
