// Search: results while one types, each with how sure it is, what differs, why, and more like it.

import * as api from './api.js';
import {button, choice, differences, explained, heading, inline, make, metadataChips, note, number, percent, plural, printable, say, select, settled, sure, text, troubled, unsure} from './parts.js';
import {chosen, noCollection, picker} from './main.js';

export const title = 'Search';

const MODES = [['dense', 'Meaning'], ['hybrid', 'Both'], ['lexical', 'Words']];
const OPERATORS = [['=', 'is'], ['!=', 'is not'], ['>=', 'at least'], ['<=', 'at most'], ['exists', 'is there']];
const MORE = 10;

export function open(host, app) {
  const own = chosen(app);
  if (!own) {
    host.replaceChildren(heading(title), noCollection());
    return;
  }
  const at = {q: app.params.get('q') || '', mode: app.params.get('mode') || 'dense', k: MORE, like: app.params.get('like') || '', where: readFilters(app.params.get('where'))};
  const results = make('div', {class: 'results', id: 'results', role: 'list', 'aria-label': 'Results'});
  const summary = make('p', {class: 'small soft', id: 'summary'});
  const below = make('div', {});
  const input = make('input', {type: 'search', id: 'asked', dir: 'auto', autocomplete: 'off', spellcheck: 'false', enterkeyhint: 'search', 'aria-label': 'Search', 'aria-controls': 'results', placeholder: 'What are you looking for?'});
  input.value = at.q;
  const filters = make('div', {class: 'stack', id: 'filters'});
  filters.hidden = !at.where.length;
  const narrowing = button('Filter', () => {
    filters.hidden = !filters.hidden;
    narrowing.setAttribute('aria-expanded', String(!filters.hidden));
    if (!filters.hidden && !at.where.length) at.where.push({field: own.fields[0] || '', operator: '=', value: ''});
    showFilters();
    if (!filters.hidden) filters.querySelector('input, select')?.focus();
  }, {class: 'plain', 'aria-expanded': String(!filters.hidden), 'aria-controls': 'filters', id: 'narrowing'});

  host.replaceChildren(
    heading(title, '', picker(app, own)),
    make('form', {class: 'stack', role: 'search', onsubmit: (event) => {
      event.preventDefault();
      run();
    }},
    make('div', {class: 'ask'}, input),
    make('div', {class: 'row'}, choice('How to search', MODES, at.mode, (mode) => {
      at.mode = mode;
      run();
    }), own.fields.length ? narrowing : null, make('span', {class: 'push small soft hints'}, make('kbd', {}, '/'), ' search ', make('kbd', {}, '↓'), ' results ', make('kbd', {}, 'W'), ' why')),
    filters),
    make('section', {class: 'stack', 'aria-label': 'Found'}, summary, results, below),
  );

  function showFilters() {
    filters.replaceChildren(...at.where.map((each, place) => {
      const value = make('input', {type: 'text', dir: 'auto', 'aria-label': 'Value', placeholder: 'value', autocomplete: 'off', spellcheck: 'false', oninput: later});
      value.value = each.value;
      value.addEventListener('input', () => (each.value = value.value));
      value.hidden = each.operator === 'exists';
      return make('div', {class: 'row tight filter'},
        select('Field', own.fields.map((name) => [name, name]), each.field, (name) => {
          each.field = name;
          run();
        }),
        select('Condition', OPERATORS, each.operator, (name) => {
          each.operator = name;
          value.hidden = name === 'exists';
          run();
        }),
        make('div', {class: 'grow'}, value),
        button('Remove', () => {
          at.where.splice(place, 1);
          showFilters();
          run();
        }, {class: 'plain', 'aria-label': `Remove the filter on ${printable(each.field)}`}));
    }), button('Add a condition', () => {
      at.where.push({field: own.fields[0], operator: '=', value: ''});
      showFilters();
      filters.querySelectorAll('.filter:last-of-type select')[0]?.focus();
    }, {class: 'plain'}));
    narrowing.replaceChildren(at.where.length ? `Filter (${at.where.length})` : 'Filter');
  }

  let pending = new AbortController();
  async function run() {
    pending.abort();
    pending = new AbortController();
    const {signal} = pending;
    at.q = input.value.trim();
    app.set({q: at.q, mode: at.mode === 'dense' ? '' : at.mode, where: writeFilters(at.where), like: at.like});
    below.replaceChildren();
    if (!at.q && !at.like) {
      summary.textContent = '';
      results.classList.remove('old');
      results.replaceChildren();
      below.replaceChildren(own.documents ? note('empty', `${plural(own.documents, 'text', 'texts')} to search`, 'Ask in your own words. Texts are found by what they mean; the share beside each says how likely it is what you want.') : note('empty', 'Nothing to search yet', `“${own.name}” holds no text.`, make('a', {class: 'button', href: `#/documents?collection=${encodeURIComponent(own.name)}`}, 'Add documents')));
      return;
    }
    results.classList.add('old');
    results.setAttribute('aria-busy', 'true');
    if (!results.childElementCount) summary.textContent = 'Searching …';
    try {
      const began = performance.now();
      const asked = {k: at.k, where: whereOf(at.where), signal};
      const found = at.like ? await api.similar(own.name, at.like, asked) : await api.search(own.name, at.q, {...asked, mode: at.mode});
      show(found, performance.now() - began);
    } catch (error) {
      if (error.name === 'AbortError' || app.life.aborted) return;
      results.replaceChildren();
      summary.textContent = '';
      below.replaceChildren(troubled(error, run, app.life));
    } finally {
      if (pending.signal === signal) {
        results.classList.remove('old');
        results.removeAttribute('aria-busy');
      }
    }
  }
  const later = settled(160, run);
  app.life.addEventListener('abort', () => pending.abort());

  function show(found, took) {
    const {hits} = found;
    const strange = hits.length > 1 && hits.every((hit) => hit.unsure === hits[0].unsure) ? hits[0].unsure : null; // said once
    const uncalibrated = hits.length && hits.every((hit) => hit.probability === null && !hit.unsure);
    const said = hits.length ? plural(hits.length, 'text', 'texts') : 'Nothing found';
    summary.replaceChildren(
      at.like ? make('span', {}, 'More like ', make('bdi', {}, shorten(at.like)), ' ', button('Back to the search', () => {
        at.like = '';
        run();
        input.focus();
      }, {class: 'plain'}), ' ') : '',
      hits.length ? `${said} in ${number(Math.round(took))} ms` : '', uncalibrated ? ` · scores without a probability: no calibration is known for ${found.model || 'this model'} and this way of searching` : '');
    say(hits.length ? `${said}. Best: ${hits[0].probability === null ? '' : `${percent(hits[0].probability)}, `}${printable((hits[0].text || hits[0].id).slice(0, 120))}` : said);
    if (strange) summary.append(' · no probability: ', inline(strange));
    results.replaceChildren(...hits.map((hit) => result(strange ? {...hit, unsure: null} : hit)));
    if (!hits.length) {
      below.replaceChildren(note('empty', 'Nothing found', at.where.length ? 'No text passes the filter. Loosen it, or remove it.' : at.mode === 'lexical' ? 'No text has these words. Search by meaning instead.' : 'The collection holds nothing near it.',
        at.where.length ? button('Remove the filter', () => {
          at.where = [];
          filters.hidden = true;
          showFilters();
          run();
        }) : null));
    } else if (hits.length >= at.k && at.k < 100) {
      below.replaceChildren(button('Show more', () => {
        at.k = Math.min(100, at.k + 20);
        run();
      }));
    }
  }

  const shorten = (id) => printable(id.length > 40 ? `${id.slice(0, 40)}…` : id);

  function result(hit) {
    const body = make('div', {class: 'body'});
    const shown = text(hit.text === null ? hit.id : hit.text, hit.text && hit.text.length > 700 ? 'long' : '');
    if (shown.classList.contains('long')) shown.tabIndex = 0;
    let why = null;
    const explain = button('Why', async () => {
      if (why) {
        why.replaceWith(shown);
        why = null;
        explain.setAttribute('aria-pressed', 'false');
        body.querySelector('.why')?.remove();
        return;
      }
      explain.disabled = true;
      try {
        const found = await api.explain(at.q, hit.text, own.model, app.life);
        const {a, b, said} = explained(found);
        b.classList.add('lit');
        why = b;
        shown.replaceWith(b);
        b.after(make('div', {class: 'stack why'}, make('div', {class: 'row tight small'}, make('span', {class: 'soft'}, 'You asked:'), a), said));
        explain.setAttribute('aria-pressed', 'true');
        say(said.textContent);
      } catch (error) {
        if (error.name === 'AbortError') return;
        body.querySelector('.why')?.remove();
        body.append(make('div', {class: 'why'}, troubled(error, null, app.life)));
      } finally {
        explain.disabled = false;
      }
    }, {class: 'plain why-button', 'aria-pressed': 'false'});
    const item = make('article', {class: 'result', tabindex: '-1', 'data-id': hit.id, onkeydown: keys, 'aria-label': `${hit.rank}`},
      sure(hit),
      body);
    body.append(shown, ...[differences(hit), unsure(hit)].filter(Boolean),
      make('div', {class: 'row tight'},
        make('div', {class: 'chips'}, make('span', {class: 'chip n', title: hit.retrieval_score === null || hit.retrieval_score === undefined ? 'Score' : `Score; found with ${hit.retrieval_score.toFixed(3)}`}, `score ${hit.score.toFixed(3)}`), make('span', {class: 'chip', dir: 'auto', title: 'Id'}, shorten(placeOf(hit))), ...metadataChips(hit.metadata, narrow)),
        make('div', {class: 'row tight push'}, hit.text && at.q && !at.like ? explain : null, button('More like this', () => {
          at.like = hit.id;
          at.k = MORE;
          run();
          scrollTo(0, 0);
        }, {class: 'plain'}))));
    return make('div', {role: 'listitem'}, item);
  }

  function narrow(name, value) {
    at.where = at.where.filter((each) => each.field !== name || each.value !== '');
    at.where.push({field: name, operator: '=', value: String(value)});
    filters.hidden = false;
    showFilters();
    run();
  }

  // Among the results one goes with the arrows, or J and K; W shows why.
  function keys(event) {
    if (event.target.closest('input, textarea, select')) return;
    const all = [...results.querySelectorAll('.result')];
    const place = all.indexOf(event.currentTarget);
    const act = {ArrowDown: () => all[place + 1]?.focus(), j: () => all[place + 1]?.focus(), ArrowUp: () => (all[place - 1] || input).focus(), k: () => (all[place - 1] || input).focus(), w: () => event.currentTarget.querySelector('.why-button')?.click()}[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  }
  input.addEventListener('keydown', (event) => {
    if (event.key === 'ArrowDown' && results.childElementCount) {
      event.preventDefault();
      results.querySelector('.result').focus();
    }
    if (event.key === 'Escape' && input.value) {
      event.preventDefault();
      input.value = '';
      run();
    }
  });
  input.addEventListener('input', () => {
    at.like = '';
    at.k = MORE;
    later();
  });

  showFilters();
  if (!matchMedia('(pointer: coarse)').matches) input.focus();
  run();
}

function placeOf(hit) {
  const passage = hit.metadata?.passage;
  if (!passage || typeof passage !== 'object' || !passage.document) return hit.id;
  return `${passage.document}${'line' in passage ? `:${passage.line}` : 'page' in passage ? `, page ${passage.page}` : ''}`;
}

// "5" is asked for as a number too: values of files are either.
function valuesOf(written) {
  const known = {true: true, false: false, null: null};
  if (written in known) return [written, known[written]];
  return written.trim() !== '' && Number.isFinite(Number(written)) ? [written, Number(written)] : [written];
}

function conditionOf({field, operator, value}) {
  if (operator === 'exists') return {[field]: {exists: true}};
  const values = valuesOf(value);
  if (operator === '=') return {[field]: {in: values}};
  if (operator === '!=') return {[field]: {'not in': values}};
  return {[field]: {[operator]: values.at(-1)}};
}

function whereOf(filters) {
  const used = filters.filter((each) => each.field && (each.operator === 'exists' || each.value !== ''));
  return used.length ? {and: used.map(conditionOf)} : undefined;
}

function readFilters(written) {
  try {
    const known = JSON.parse(written || '[]');
    return known.filter((each) => Array.isArray(each) && each.length === 3).map(([field, operator, value]) => ({field: String(field), operator: String(operator), value: String(value)}));
  } catch {
    return [];
  }
}

const writeFilters = (filters) => (filters.length ? JSON.stringify(filters.map((each) => [each.field, each.operator, each.value])) : '');
