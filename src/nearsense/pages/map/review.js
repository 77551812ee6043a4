// Pairs that may be the same, one at a time: A for the same, R for not; the verdicts become labels for `calibrate`.

const review = {at: 0, order: [], verdicts: new Map(), undone: [], shown: false};
const SAME = 1;
const NOT = 0;
const KEEP = `nearsense-map-${facts.key}`;

const doubt = (pair) => Math.abs((facts.pairs.probabilities?.[pair] ?? facts.pairs.scores[pair]) - 0.5);

function orderPairs(how) {
  review.order = Array.from(facts.pairs.left.keys());
  if (how === 'doubt') review.order.sort((a, b) => doubt(a) - doubt(b) || a - b);
  review.at = 0;
}

// Verdicts stay in this browser until they are exported; where it keeps nothing, as long as the page is open.
function remember() {
  try {
    localStorage.setItem(KEEP, JSON.stringify([...review.verdicts]));
  } catch { /* private windows and some settings keep nothing */ }
}

function recall() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEEP) || '[]');
    review.verdicts = new Map(kept.filter(([pair, verdict]) => pair in facts.pairs.left && (verdict === SAME || verdict === NOT)));
  } catch { /* nothing that can be read was kept */ }
}

function showPair() {
  review.shown = true;
  const pair = review.order[review.at];
  if (pair === undefined) {
    byId('pairs').replaceChildren(make('p', {class: 'lead'}, 'No duplicates were looked for, or none were found.'));
    return;
  }
  const [left, right] = [facts.pairs.left[pair], facts.pairs.right[pair]];
  const chance = facts.pairs.probabilities?.[pair] ?? null;
  const differs = facts.pairs.differs[pair] || [];
  const verdict = review.verdicts.get(pair);
  const kept = document.activeElement?.dataset?.act;
  const button = (name, title, act, extra = {}) => make('button', {type: 'button', 'data-act': name, title, onclick: act, ...extra}, name);
  byId('pairs').replaceChildren(
    make('p', {class: 'row'},
      make('span', {class: 'grow', id: 'judged'}, `${number(review.at + 1)} of ${number(review.order.length)}, ${number(review.verdicts.size)} judged`),
      orderChoice()),
    make('div', {class: `pair ${verdict === SAME ? 'same' : verdict === NOT ? 'not' : ''}`},
      make('blockquote', {dir: 'auto'}, textOf(left)), make('blockquote', {dir: 'auto'}, textOf(right))),
    make('dl', {class: 'facts'},
      make('dt', {}, 'score'), make('dd', {}, facts.pairs.scores[pair].toFixed(3)),
      make('dt', {}, 'means the same'), make('dd', {}, percent(chance)),
      ...(differs.length ? [make('dt', {}, 'differs'), make('dd', {}, ...differs.map((each) => make('bdi', {class: 'differs'}, printable(each))))] : []),
      make('dt', {}, 'verdict'), make('dd', {id: 'verdict'}, verdict === SAME ? 'the same' : verdict === NOT ? 'not the same' : 'none yet')),
    make('p', {class: 'acts'},
      button('same', 'A', () => judge(SAME), {class: 'yes'}), button('not the same', 'R', () => judge(NOT), {class: 'no'})),
    make('p', {class: 'acts'},
      button('previous', '←', () => turn(-1)), button('next', '→', () => turn(1)), button('undo', 'U', undo, {disabled: review.undone.length === 0})),
    make('p', {class: 'lead'}, 'Keys: ', ...['A', 'R', 'U', '←', '→'].flatMap((name, at) => [make('kbd', {}, name), [' same ', ' not ', ' undo ', ' ', ' other pairs'][at]])),
    make('p', {class: 'row'}, make('span', {class: 'grow lead'}, 'Labels for nearsense calibrate:'),
      ...['csv', 'jsonl'].map((kind) => make('button', {type: 'button', id: `labels-${kind}`, disabled: review.verdicts.size === 0, onclick: () => exportLabels(kind)}, kind.toUpperCase()))));
  if (kept) byId('pairs').querySelector(`[data-act="${kept}"]`)?.focus();
  Object.assign(shown, {current: left, linked: [right]});
  bringIntoView([left, right]);
  redraw();
}

function orderChoice() {
  const choice = make('select', {'aria-label': 'Order of the pairs', onchange: (event) => {
    orderPairs(event.target.value);
    review.how = event.target.value;
    showPair();
  }}, make('option', {value: 'score'}, 'nearest first'), make('option', {value: 'doubt'}, 'doubtful first'));
  choice.value = review.how || 'score';
  return choice;
}

function leavePairs() {
  review.shown = false;
  Object.assign(shown, {current: -1, linked: []});
  redraw();
}

function judge(verdict) {
  const pair = review.order[review.at];
  if (pair === undefined) return;
  review.undone.push([review.at, pair, review.verdicts.get(pair)]);
  review.verdicts.set(pair, verdict);
  remember();
  const ahead = [...review.order.keys()].map((by) => (review.at + 1 + by) % review.order.length);
  review.at = ahead.find((at) => !review.verdicts.has(review.order[at])) ?? review.at;
  showPair();
  const all = review.verdicts.size === review.order.length ? ' All pairs are judged.' : '';
  say(`${verdict === SAME ? 'The same' : 'Not the same'}.${all} ${spokenPair()}`);
}

function undo() {
  const last = review.undone.pop();
  if (!last) return;
  const [at, pair, before] = last;
  if (before === undefined) review.verdicts.delete(pair);
  else review.verdicts.set(pair, before);
  review.at = Math.max(0, review.order.indexOf(pair) >= 0 ? review.order.indexOf(pair) : at);
  remember();
  showPair();
  say(`Taken back. ${spokenPair()}`);
}

function turn(by) {
  if (!review.order.length) return;
  review.at = (review.at + by + review.order.length) % review.order.length;
  showPair();
  say(spokenPair());
}

function spokenPair() {
  const pair = review.order[review.at];
  const [left, right] = [facts.pairs.left[pair], facts.pairs.right[pair]];
  return `${shortened(texts().texts[left], 200)} — ${shortened(texts().texts[right], 200)}`;
}

const reviewKey = (name) =>
  review.shown ? {ArrowRight: () => turn(1), ArrowLeft: () => turn(-1), ArrowDown: () => turn(1), ArrowUp: () => turn(-1)}[name] : undefined;
const reviewLetter = (name) =>
  review.shown ? {a: () => judge(SAME), r: () => judge(NOT), u: undo}[name.toLowerCase()] : undefined;

function exportLabels(kind) {
  const pairs = [...review.verdicts].sort(([a], [b]) => a - b);
  downloadRecords('labels', kind, pairs.map(([pair, label]) => {
    const [left, right] = [facts.pairs.left[pair], facts.pairs.right[pair]];
    return {text1: texts().texts[left], text2: texts().texts[right], label, id1: ids()[left], id2: ids()[right], score: facts.pairs.scores[pair]};
  }));
}
