// What is shown and what is marked: clusters that are hidden, hits of a search, a selection, the text that is read.

const shown = {
  hidden: new Set(), // clusters
  marked: null, // rows that stand out, in order; null for all
  why: '', // what they are: "selection" or "hits"
  current: -1, // the row that is read
  under: -1, // the row under the pointer
  linked: [], // rows joined to the current one by lines
};

const isShown = (row) => state[row] !== HIDDEN;
const isShownCluster = (cluster) => !shown.hidden.has(cluster);

function restate() {
  const plain = shown.marked === null ? PLAIN : FAINT;
  for (let row = 0; row < count; row += 1) state[row] = shown.hidden.has(clusterOf(row)) ? HIDDEN : plain;
  for (const row of shown.marked || []) if (state[row] !== HIDDEN) state[row] = PLAIN;
  redraw();
}

function mark(rows, why) {
  [shown.marked, shown.why] = [rows, rows === null ? '' : why];
  restate();
  showList();
}

function forget() {
  byId('asked').value = '';
  byId('found').textContent = '';
  byId('previous').disabled = byId('next').disabled = true;
  Object.assign(shown, {current: -1, linked: []});
  mark(null, '');
  showText();
  say('Nothing is selected.');
}

function select(row, {move = false} = {}) {
  openPanel('text'); // first: leaving the duplicates lets go of their pair
  shown.current = row;
  shown.linked = Array.from({length: facts.k}, (_, at) => near()[row * facts.k + at]).filter((each) => each >= 0);
  if (move) bringIntoView([row]);
  showText();
  say(`${shortened(texts().texts[row], 200)}. ${nameOf(clusterOf(row))}.`);
  redraw();
}

// Search: rows that hold the words, letters' case aside.
const search = {rows: [], at: -1};

function find(asked) {
  const words = asked.toLowerCase();
  search.at = -1;
  if (!words.trim()) {
    search.rows = [];
    byId('found').textContent = '';
    if (shown.why === 'hits') mark(null, '');
  } else {
    const found = [];
    const all = lowered();
    for (let row = 0; row < count; row += 1) if (all[row].includes(words)) found.push(row);
    search.rows = found;
    byId('found').textContent = found.length ? number(found.length) : 'none';
    mark(found, 'hits');
    say(`${plural(found.length, 'text holds', 'texts hold')} “${shortened(asked, 60)}”.`);
  }
  byId('previous').disabled = byId('next').disabled = search.rows.length === 0;
}

function step(by) {
  const rows = search.rows.filter(isShown);
  if (!rows.length) return;
  search.at = (search.at + by + rows.length + (search.at < 0 && by < 0 ? 1 : 0)) % rows.length;
  byId('found').textContent = `${number(search.at + 1)} of ${number(rows.length)}`;
  select(rows[search.at], {move: true});
}
