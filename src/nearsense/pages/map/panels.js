// The panels beside the map: clusters, one text with its nearest, a list of texts.

const PANELS = ['clusters', 'text', 'list', 'pairs'];
const FIRST = 200; // rows of a list that are shown at once

function openPanel(name) {
  for (const each of PANELS) {
    const open = each === name;
    byId(each).hidden = !open;
    byId(`tab-${each}`).setAttribute('aria-selected', `${open}`);
    byId(`tab-${each}`).tabIndex = open ? 0 : -1;
  }
  if (name === 'pairs') showPair();
  else if (review.shown) leavePairs();
  if (name === 'list') showList();
}

const openedPanel = () => PANELS.find((name) => !byId(name).hidden);

function swatch(cluster) {
  const colour = cluster === NOISE ? facts.light.length - 1 : facts.colours[cluster];
  return make('i', {class: `swatch c${colour}`, 'aria-hidden': 'true'});
}

const textButton = (row, length, extra = {}) =>
  make('button', {type: 'button', class: 'text', dir: 'auto', onclick: () => select(row, {move: true}), ...extra},
    shortened(texts().texts[row], length));

// Clusters.

function showClusters() {
  const rows = bySize.map((cluster) => {
    const box = make('input', {type: 'checkbox', checked: isShownCluster(cluster), onchange: () => toggle(cluster)});
    return make('li', {'data-cluster': cluster},
      make('label', {}, box, swatch(cluster), make('bdi', {}, shortened(nameOf(cluster), 60)), make('small', {}, number(sizes[cluster]))),
      make('button', {type: 'button', 'aria-label': `Only ${shortened(nameOf(cluster), 60)}`, onclick: () => isolate(cluster)}, 'only'));
  });
  const filter = make('input', {type: 'search', placeholder: 'Filter clusters', 'aria-label': 'Filter clusters', oninput: (event) => {
    const words = event.target.value.toLowerCase();
    rows.forEach((row, at) => { row.hidden = !nameOf(bySize[at]).toLowerCase().includes(words); });
  }});
  byId('clusters').replaceChildren(
    make('p', {class: 'row'},
      make('span', {class: 'grow'}, plural(facts.names.length, 'cluster', 'clusters')),
      make('button', {type: 'button', onclick: () => showOnly(null)}, 'all'),
      make('button', {type: 'button', onclick: () => showOnly([])}, 'none')),
    ...(bySize.length > 12 ? [filter] : []),
    make('ul', {class: 'legend'}, ...rows));
}

function toggle(cluster) {
  if (!shown.hidden.delete(cluster)) shown.hidden.add(cluster);
  say(`${shortened(nameOf(cluster), 60)} ${isShownCluster(cluster) ? 'shown' : 'hidden'}.`);
  restate();
}

function isolate(cluster) {
  const alone = isShownCluster(cluster) && shown.hidden.size === bySize.length - 1;
  showOnly(alone ? null : [cluster]);
}

// Shows these clusters and no other; null for all.
function showOnly(clusters) {
  shown.hidden = new Set(clusters === null ? [] : bySize.filter((cluster) => !clusters.includes(cluster)));
  for (const row of byId('clusters').querySelectorAll('li')) {
    row.querySelector('input').checked = isShownCluster(Number(row.dataset.cluster));
  }
  say(`${plural(bySize.length - shown.hidden.size, 'cluster', 'clusters')} shown.`);
  restate();
}

// One text.

function showText() {
  const row = shown.current;
  if (row < 0) {
    byId('text').replaceChildren(make('p', {class: 'lead'}, 'Click a point of the map, or a text of the list.'));
    return;
  }
  const cluster = clusterOf(row);
  byId('text').replaceChildren(
    make('p', {class: 'chip'}, swatch(cluster), make('bdi', {}, printable(nameOf(cluster)))),
    make('blockquote', {dir: 'auto', id: 'read'}, textOf(row)),
    make('p', {class: 'lead'}, 'id ', make('bdi', {}, shortened(ids()[row], 80))),
    facts.k ? nearestTable(row) : make('p', {class: 'lead'}, 'There is no other text.'));
}

function nearestTable(row) {
  const lines = [];
  for (let at = 0; at < facts.k; at += 1) {
    const other = near()[row * facts.k + at];
    if (other < 0) break;
    const score = nearness()[row * facts.k + at];
    lines.push(make('tr', {}, make('td', {}, textButton(other, 160)),
      make('td', {class: 'n'}, shownScore(score)), make('td', {class: 'n'}, percent(probability(score)))));
  }
  const said = facts.curve === null ? 'No probability is known for this model’s scores.' : 'The probability is that of the score alone.';
  return make('div', {},
    make('table', {class: 'near'}, make('caption', {}, `The nearest texts. ${said}`),
      make('thead', {}, make('tr', {}, make('th', {scope: 'col'}, 'text'), make('th', {scope: 'col', class: 'n'}, 'score'),
        make('th', {scope: 'col', class: 'n'}, 'same'))),
      make('tbody', {}, ...lines)),
    make('button', {type: 'button', onclick: () => { mark([row, ...shown.linked], 'selection'); openPanel('list'); }}, 'select these'));
}

// A list of texts: what is marked, or what is in view.

let listed = [];

function showList() {
  if (openedPanel() !== 'list') return;
  listed = (shown.marked || inView(isShown)).filter(isShown);
  const what = shown.marked === null ? 'in view' : shown.why === 'hits' ? 'found' : 'selected';
  const body = make('tbody');
  const more = make('button', {type: 'button', onclick: () => addRows(body, more)}, '');
  byId('list').replaceChildren(
    make('p', {class: 'row'}, make('span', {class: 'grow', id: 'listed'}, `${plural(listed.length, 'text', 'texts')} ${what}`),
      ...['csv', 'jsonl'].map((kind) => make('button', {type: 'button', id: `list-${kind}`, disabled: listed.length === 0, onclick: () => exportList(kind)}, kind.toUpperCase())),
      make('button', {type: 'button', onclick: selectInView, title: 'V'}, 'select view'),
      make('button', {type: 'button', disabled: shown.marked === null, onclick: forget}, 'clear')),
    make('table', {}, make('caption', {class: 'quiet'}, `Texts ${what}`),
      make('thead', {class: 'quiet'}, make('tr', {}, make('th', {scope: 'col'}, 'text'), make('th', {scope: 'col'}, 'cluster'))), body),
    more);
  addRows(body, more);
}

function addRows(body, more) {
  const from = body.children.length;
  for (const row of listed.slice(from, from + FIRST)) {
    const cluster = clusterOf(row);
    body.append(make('tr', {}, make('td', {}, textButton(row, 200)),
      make('td', {class: 'of'}, swatch(cluster), make('bdi', {}, shortened(nameOf(cluster), 40)))));
  }
  const left = listed.length - body.children.length;
  more.hidden = left <= 0;
  more.textContent = `${number(Math.min(FIRST, left))} more of ${number(left)}`;
}

function exportList(kind) {
  downloadRecords('texts', kind, listed.map((row) => ({id: ids()[row], text: texts().texts[row], cluster: clusterOrNothing(row)})));
}

function listenToTabs() {
  PANELS.forEach((name, at) => {
    byId(`tab-${name}`).addEventListener('click', () => openPanel(name));
    byId(`tab-${name}`).addEventListener('keydown', (event) => {
      const by = {ArrowRight: 1, ArrowLeft: -1}[event.key];
      const to = {Home: 0, End: PANELS.length - 1}[event.key] ?? (by && (at + by + PANELS.length) % PANELS.length);
      if (to === undefined) return;
      event.preventDefault();
      openPanel(PANELS[to]);
      byId(`tab-${PANELS[to]}`).focus();
    });
  });
}
