// Pairs that may say the same, one at a time: A for the same, R for not. What is decided teaches the calibration.

import * as api from './api.js';
import {button, contrasted, differences, heading, loaded, make, note, number, percent, plural, printable, progressBar, say, select, sure, troubled, unsure} from './parts.js';
import {chosen, noCollection, picker} from './main.js';

export const title = 'Duplicates';

const LEAST = 20; // decisions from which on a calibration can be learnt
const ORDERS = [['sure', 'surest first'], ['doubt', 'most doubtful first']];

export function open(host, app) {
  const own = chosen(app);
  if (!own) {
    host.replaceChildren(heading(title), noCollection());
    return;
  }
  let least = app.params.get('least') || '0.5';
  let order = app.params.get('order') || 'doubt';
  const desk = make('section', {'aria-label': 'Review', class: 'wide-stack', id: 'desk'});
  const controls = make('div', {class: 'row tight'},
    select('From which probability', [['0.9', 'from 90 %'], ['0.5', 'from 50 %'], ['0.2', 'from 20 %']], least, (value) => {
      least = value;
      app.set({least});
      load();
    }, {class: 'pick'}),
    select('Order', ORDERS, order, (value) => {
      order = value;
      app.set({order});
      load();
    }, {class: 'pick'}), picker(app, own));
  host.replaceChildren(heading(title, 'Say of each pair whether both texts mean the same. The collection learns from it how sure it may be.', controls), desk);

  const state = {pairs: [], at: 0, verdicts: new Map(), undone: [], learnt: null};
  const keyOf = (pair) => [pair.left, pair.right].sort().join('\u0000');

  async function load() {
    await loaded(desk, 'Looking for pairs', async () => {
      const [found, decided] = await Promise.all([api.duplicates(own.name, Number(least), app.life), api.decisions(own.name, app.life)]);
      return {found, decided};
    }, ({found, decided}) => {
      state.verdicts = new Map(decided.decisions.map((each) => [keyOf(each), each.same]));
      state.learnt = decided.calibration;
      state.pairs = found.pairs.filter((pair) => pair.a && pair.b);
      if (order === 'doubt') state.pairs.sort((one, other) => Math.abs((one.probability ?? one.score) - 0.5) - Math.abs((other.probability ?? other.score) - 0.5));
      state.undone = [];
      state.at = Math.max(0, state.pairs.findIndex((pair) => !state.verdicts.has(keyOf(pair))));
      queueMicrotask(() => {
        if (state.pairs.length) show();
      });
      return state.pairs.length ? [] : note('empty', 'No duplicates', `No two texts of “${own.name}” are ${percent(Number(least))} likely to mean the same. Ask for less likely ones, or be glad.`);
    }, app.life);
  }

  const review = make('div', {class: 'review', tabindex: '-1', role: 'group', 'aria-label': 'Pair', 'aria-keyshortcuts': 'A R U ArrowLeft ArrowRight', onkeydown: keys});

  function show({focus = true} = {}) {
    const pair = state.pairs[state.at];
    const verdict = state.verdicts.get(keyOf(pair));
    const kind = verdict === true ? 'yes' : verdict === false ? 'no' : '';
    const judged = state.pairs.filter((each) => state.verdicts.has(keyOf(each))).length;
    const held = document.activeElement?.closest?.('.acts button')?.dataset.act;
    review.replaceChildren(
      make('div', {class: 'row'}, make('span', {id: 'place', class: 'n'}, `${number(state.at + 1)} of ${number(state.pairs.length)}`), make('span', {class: 'soft n', id: 'judged'}, `${number(judged)} decided`),
        kind ? make('span', {class: 'push', id: 'verdict'}, verdict ? 'The same' : 'Not the same') : make('span', {class: 'push soft', id: 'verdict'}, 'Not decided')),
      bar(judged / state.pairs.length),
      make('div', {class: 'pair'}, make('div', {class: `card ${kind}`.trim()}, contrasted(pair.a, pair.b), make('p', {class: 'small soft', dir: 'auto'}, printable(pair.left))), make('div', {class: `card ${kind}`.trim()}, contrasted(pair.b, pair.a), make('p', {class: 'small soft', dir: 'auto'}, printable(pair.right)))),
      make('div', {class: 'row'}, make('div', {class: 'facts-beside'}, sure(pair)), make('div', {class: 'stack'}, make('p', {class: 'small soft'}, `${pair.probability === null ? '' : 'likely to mean the same · '}score ${pair.score.toFixed(3)}${pair.tier === 'semantic' ? '' : ` · ${pair.tier === 'exact' ? 'the same text' : 'the same but for how it is written'}`}`), differences(pair), unsure(pair))),
      make('div', {class: 'acts'},
        act('accept', 'The same', 'A', () => decide(true), 'yes'), act('reject', 'Not the same', 'R', () => decide(false), 'no'),
        act('previous', '', '←', () => turn(-1), 'side', 'Previous pair'), act('next', '', '→', () => turn(1), 'side', 'Next pair'), act('undo', 'Undo', 'U', undo, 'side', null, state.undone.length === 0)),
      make('div', {id: 'learning'}, learning()));
    if (!review.isConnected) desk.replaceChildren(review);
    const again = held && review.querySelector(`[data-act="${held}"]:not(:disabled)`);
    if (again) again.focus();
    else if (focus) review.focus({preventScroll: true});
  }

  const act = (name, said, key, does, kind, label = null, disabled = false) => button(said, does, {class: kind, 'data-act': name, 'aria-label': label || false, disabled}, make('kbd', {'aria-hidden': 'true'}, key));

  function bar(value) {
    const made = make('div', {class: 'bar', 'aria-hidden': 'true'}, make('i'));
    made.style.setProperty('--at', value);
    return made;
  }

  // What the decisions are good for, and how many are still wanted.
  function learning() {
    const same = [...state.verdicts.values()].filter(Boolean).length;
    const both = same > 0 && same < state.verdicts.size;
    const kept = plural(state.verdicts.size, 'decision', 'decisions');
    if (state.verdicts.size < LEAST) return make('p', {class: 'small soft', id: 'wanted'}, `${kept} kept. After ${number(LEAST - state.verdicts.size)} more, of both kinds, the collection can learn from them.`);
    if (!both) return make('p', {class: 'small soft', id: 'wanted'}, `${kept} kept, all of one kind. The collection learns from both: pairs that mean the same, and pairs that do not.`);
    return make('div', {class: 'banner'}, make('span', {}, `${kept} kept${state.learnt ? '; it has learnt before' : ''}.`), button('Learn from them', learn, {class: 'plain', id: 'learn'}));
  }

  async function learn() {
    const place = review.querySelector('#learning');
    try {
      place.replaceChildren(make('p', {class: 'small soft', role: 'status'}, 'Learning …'));
      await queue; // the last decisions may be on their way
      await api.learn(own.name, app.life, (job) => place.replaceChildren(progressBar(job)));
      state.learnt = true;
      const words = `Learnt from ${plural(state.verdicts.size, 'decision', 'decisions')}. Probabilities of duplicates go by them now.`;
      place.replaceChildren(make('div', {class: 'banner', role: 'status', id: 'learnt'}, words, button('Look again', load, {class: 'plain'})));
      say(words);
    } catch (error) {
      if (error.name !== 'AbortError') place.replaceChildren(troubled(error, null, app.life));
    }
  }

  async function decide(same) {
    const pair = state.pairs[state.at];
    const before = state.verdicts.get(keyOf(pair));
    const place = state.at;
    put(pair, same);
    state.undone.push({pair, before, place});
    const ahead = state.pairs.map((_, by) => (place + 1 + by) % state.pairs.length).find((each) => !state.verdicts.has(keyOf(state.pairs[each])));
    state.at = ahead ?? place;
    show();
    say(`${same ? 'The same' : 'Not the same'}.${ahead === undefined ? ' All pairs are decided.' : ` ${spoken()}`}`);
    await send(() => api.decide(own.name, [{left: pair.left, right: pair.right, same}], app.life), () => {
      put(pair, before);
      state.at = place;
    });
  }

  async function undo() {
    const last = state.undone.pop();
    if (!last) return;
    const now = state.verdicts.get(keyOf(last.pair));
    put(last.pair, last.before);
    state.at = last.place;
    show();
    say(`Taken back. ${spoken()}`);
    const {left, right} = last.pair;
    await send(() => (last.before === undefined ? api.undecide(own.name, left, right, app.life) : api.decide(own.name, [{left, right, same: last.before}], app.life)), () => put(last.pair, now));
  }

  function put(pair, verdict) {
    const key = keyOf(pair);
    if (verdict === undefined) {
      state.verdicts.delete(key);
    } else {
      state.verdicts.set(key, verdict);
    }
  }

  // One after the other, in the order of the keys; what the server did not take is taken back here.
  let queue = Promise.resolve();
  function send(ask, back) {
    queue = queue.then(async () => {
      try {
        await ask();
      } catch (error) {
        if (error.name === 'AbortError' || app.life.aborted) return;
        back();
        show();
        review.querySelector('#learning').replaceChildren(troubled(error, null, app.life));
      }
    });
    return queue;
  }

  function turn(by) {
    state.at = (state.at + by + state.pairs.length) % state.pairs.length;
    show();
    say(spoken());
  }

  const spoken = () => {
    const pair = state.pairs[state.at];
    return `${printable(pair.a).slice(0, 200)} — ${printable(pair.b).slice(0, 200)}`;
  };

  function keys(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, textarea, select')) return;
    const does = {a: () => decide(true), r: () => decide(false), u: undo, ArrowRight: () => turn(1), ArrowLeft: () => turn(-1)}[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!does) return;
    event.preventDefault();
    does();
  }

  load();
}
