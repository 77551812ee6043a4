// The page begins here: which view is open, what the server has, how it is, light or dark.

import {byId} from './words.js';
import * as api from './api.js';
import {loaded, make, note, number, say, select} from './parts.js';
import * as search from './search.js';
import * as compare from './compare.js';
import * as faq from './faq.js';
import * as unanswered from './unanswered.js';
import * as duplicates from './duplicates.js';
import * as map from './map.js';
import * as documents from './documents.js';
import * as health from './health.js';

const VIEWS = {search, compare, faq, unanswered, duplicates, map, documents, health};
const FIRST_OF_GROUP = new Set(['unanswered', 'health']);
const main = byId('view');

for (const [name, view] of Object.entries(VIEWS)) {
  byId('views').append(make('a', {href: `#/${name}`, id: `to-${name}`, class: FIRST_OF_GROUP.has(name) ? 'gap' : false}, view.title, make('small', {id: `count-${name}`})));
}

// What the server has: collections, FAQs, models. Asked for once, and again after a write.
let world = null;
async function theWorld(signal) {
  if (world === null) world = await api.world(signal);
  byId('count-documents').textContent = world.collections.length === 1 && world.collections[0].documents !== null ? number(world.collections[0].documents) : '';
  return world;
}

let life = new AbortController();
let opened = '';

function route() {
  const [, name, query] = /^#\/([a-z]+)(?:\?(.*))?$/.exec(location.hash) || [null, 'search', ''];
  return [name in VIEWS ? name : 'search', new URLSearchParams(query || '')];
}

function open({focus = false} = {}) {
  life.abort();
  life = new AbortController();
  const [name, params] = route();
  const view = VIEWS[name];
  opened = name;
  for (const link of byId('views').children) {
    if (link.id === `to-${name}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const link = byId(`to-${name}`);
  byId('views').scrollLeft += link.getBoundingClientRect().left - byId('views').getBoundingClientRect().left - 60;
  document.title = `${view.title} · nearsense`;
  const host = make('div', {class: `view ${name === 'map' ? 'full' : ''}`.trim(), 'data-view': name});
  main.replaceChildren(host);
  if (focus) {
    main.focus({preventScroll: true});
    scrollTo(0, 0);
    say(view.title);
  }
  const current = life.signal;
  const app = {
    params,
    life: current,
    collections: [],
    faqs: [],
    // Remember in the address what is shown, so that it can be shared and comes back.
    set(values) {
      for (const [key, value] of Object.entries(values)) {
        if (value === '' || value === null || value === undefined) params.delete(key);
        else params.set(key, value);
      }
      const said = params.toString();
      history.replaceState(null, '', `#/${name}${said ? `?${said}` : ''}`);
    },
    changed() {
      world = null;
      theWorld(current).catch(() => {});
    },
    reopen: () => open(),
  };
  loaded(host, 'Loading', () => theWorld(current), (known) => {
    Object.assign(app, known);
    queueMicrotask(() => view.open(host, app));
    return [];
  }, current);
}

// Which collection a view is about: the one in the address, else the one last chosen, else the first.
const LAST = 'nearsense-collection';
export function chosen(app, list = app.collections, key = 'collection') {
  let last = '';
  try {
    last = sessionStorage.getItem(`${LAST}-${key}`) || '';
  } catch { /* then the first */ }
  const wanted = app.params.get(key) || last;
  return list.find((each) => each.name === wanted) || list[0] || null;
}

export function picker(app, own, list = app.collections, key = 'collection') {
  if (list.length < 2) return own ? make('bdi', {class: 'soft'}, own.name) : null;
  return select(key === 'faq' ? 'FAQ' : 'Collection', list.map((each) => [each.name, each.name]), own.name, (name) => {
    try {
      sessionStorage.setItem(`${LAST}-${key}`, name);
    } catch { /* kept in the address all the same */ }
    app.set({[key]: name});
    app.reopen();
  }, {class: 'pick'});
}

export const noCollection = () => note('empty', 'No collection yet', 'A collection holds the texts that are searched. Make one under Documents, or name one where the server is started: nearsense serve support.nearsense', make('a', {class: 'button', href: '#/documents'}, 'Go to Documents'));

// How the server is: told by every answer, and asked for now and then.
const state = (kind, words) => {
  byId('state').firstElementChild.className = `dot ${kind}`;
  byId('state-text').textContent = words;
};
let up = null;
function contact(answered) {
  if (answered === up) return;
  const back = up === false && answered;
  up = answered;
  if (!answered) {
    state('bad', 'Offline');
    soon(2000);
  }
  if (back) {
    state('good', 'Ready');
    say('The server answers again.');
    window.dispatchEvent(new Event('nearsense-online'));
  }
}
api.onContact(contact);

let timer = 0;
function soon(wait) {
  clearTimeout(timer);
  timer = setTimeout(look, wait);
}

async function look() {
  try {
    const told = await api.health();
    state(told.ready ? 'good' : 'busy', told.ready ? 'Ready' : 'Starting');
  } catch (error) {
    if (error.kind === 'busy') state('busy', 'Busy');
    else if (error.kind === 'key') state('', 'Needs a key');
    else if (error.kind !== 'offline') state('bad', 'Failing');
  }
  soon(up === false ? 2000 : 15000);
}

// Light, dark, or as the system is.
const THEMES = {system: 'Auto', light: 'Light', dark: 'Dark'};
const systemDark = matchMedia('(prefers-color-scheme: dark)');
let theme = 'system';
try {
  theme = localStorage.getItem('nearsense-theme') || 'system';
} catch { /* as the system */ }
function paint() {
  if (!(theme in THEMES)) theme = 'system';
  document.documentElement.dataset.theme = theme === 'dark' || (theme === 'system' && systemDark.matches) ? 'dark' : 'light';
  byId('theme').textContent = THEMES[theme];
  byId('theme').setAttribute('aria-label', theme === 'system' ? 'Colours: as the system' : `Colours: ${theme}`);
}
byId('theme').addEventListener('click', () => {
  const names = Object.keys(THEMES);
  theme = names[(names.indexOf(theme) + 1) % names.length];
  try {
    localStorage.setItem('nearsense-theme', theme);
  } catch { /* until the page is closed */ }
  paint();
});
systemDark.addEventListener('change', paint);
paint();

document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener('online', () => soon(0));
window.addEventListener('hashchange', () => open({focus: true}));
window.addEventListener('nearsense-key', () => {
  world = null;
  look();
});
document.addEventListener('keydown', (event) => {
  const typing = event.target.closest('input, textarea, select, [contenteditable]');
  if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const asked = main.querySelector('.ask input');
  if (asked) {
    event.preventDefault();
    asked.focus();
    asked.select();
  }
});

open();
look();
