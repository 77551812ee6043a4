// What views are made of: states, meters, lit words, lists. Texts of people become text nodes only, through make().

import {byId, make, number, percent, plural, printable, shortened} from './words.js';
import {Trouble, setKey} from './api.js';

let spoken = 0;
export function say(words) {
  byId('live').textContent = words + (spoken++ % 2 ? '\u00a0' : ''); // said again when it is the same again
}

export const text = (words, extra = '') => make('p', {class: `text ${extra}`.trim(), dir: 'auto'}, printable(words));
export const inline = (words) => make('bdi', {}, printable(words));

export function button(name, act, attributes = {}, ...inside) {
  return make('button', {type: 'button', onclick: act, ...attributes}, name, ...inside);
}

export function heading(title, lead, ...beside) {
  return make('header', {class: 'head'}, make('h1', {id: 'title'}, title), ...beside, lead ? make('p', {}, lead) : null);
}

let numbered = 0;
export function field(name, control, hint) {
  control.id ||= `field-${(numbered += 1)}`;
  return make('div', {class: 'field'}, make('label', {for: control.id}, name), control, hint ? make('span', {class: 'small'}, hint) : null);
}

export function select(name, options, value, change, attributes = {}) {
  const made = make('select', {'aria-label': name, onchange: () => change(made.value), ...attributes},
    ...options.map(([key, said]) => make('option', {value: key}, printable(said))));
  made.value = value;
  return made;
}

// A few choices that exclude each other: radio buttons that look like one switch.
export function choice(name, options, value, change) {
  const group = `choice-${(numbered += 1)}`;
  return make('fieldset', {class: 'switch'}, make('legend', {class: 'quiet'}, name),
    ...options.map(([key, said]) => {
      const radio = make('input', {type: 'radio', name: group, value: key, onchange: () => change(key)});
      radio.checked = key === value;
      return make('label', {}, radio, said);
    }));
}

const share = (value) => Math.min(1, Math.max(0, value));
const whole = (value) => Math.round(100 * value);

// From 0 to 100 %: the interval as a bar, the probability as a dot, a threshold as a mark.
export function meter(probability, interval, {mark = null, passed = false} = {}) {
  const known = probability !== null && probability !== undefined;
  const [low, high] = interval || (known ? [probability, probability] : [0, 0]);
  const made = make('span', {class: `meter${passed ? ' passed' : ''}`, role: 'img', 'aria-label': spokenChance(probability, interval)},
    known ? make('i') : null, known ? make('em') : null, mark === null ? null : make('u'));
  for (const [name, value] of Object.entries({low, high, at: known ? probability : 0, mark: mark ?? 0})) made.style.setProperty(`--${name}`, share(value));
  return made;
}

export function between(interval) {
  if (!interval) return '';
  const [low, high] = interval.map(whole);
  return low === high ? `${low} %` : `${low} to ${high} %`;
}

function spokenChance(probability, interval) {
  if (probability === null || probability === undefined) return 'no probability';
  return `${percent(probability)} likely${interval ? `, between ${between(interval)}` : ''}`;
}

// A probability with its interval; the score where there is none.
export function sure(found, {large = false, mark = null, passed = false} = {}) {
  const chance = found.probability;
  if (chance === null || chance === undefined) {
    return make('div', {class: `sure${large ? ' large' : ''}`}, make('b', {}, found.score === null || found.score === undefined ? '–' : found.score.toFixed(2)), make('small', {}, 'score only'));
  }
  return make('div', {class: `sure${large ? ' large' : ''}`}, make('b', {}, percent(chance)), meter(chance, found.interval, {mark, passed}), make('small', {}, between(found.interval)));
}

export function differences(found) {
  const list = found.differs || [];
  if (!list.length) return null;
  return make('div', {class: 'chips', role: 'group', 'aria-label': 'What differs'}, ...list.map((each) => make('span', {class: 'chip differs', dir: 'auto'}, make('span', {class: 'quiet'}, 'Differs: '), printable(each))));
}

export function unsure(found) {
  const why = found.unsure || '';
  return why ? make('p', {class: 'small soft'}, 'No probability: ', inline(why)) : null;
}

// A text with its words lit by their share of the score. Places are counted in code points, as the server counts them.
export function lit(written, words, over = () => {}) {
  const letters = Array.from(written);
  const largest = Math.max(...words.map((word) => Math.abs(word.contribution)), 1e-9);
  const parts = [];
  let end = 0;
  words.forEach((word, place) => {
    if (word.start > end) parts.push(printable(letters.slice(end, word.start).join('')));
    const mark = make('mark', {class: word.contribution < 0 ? 'against' : '', 'data-at': place, title: `${word.contribution < 0 ? '−' : '+'}${Math.abs(word.contribution).toFixed(3)} of the score`,
      onmouseenter: () => over(word, true), onmouseleave: () => over(word, false)}, printable(letters.slice(word.start, word.end).join('')));
    mark.style.setProperty('--share', (Math.abs(word.contribution) / largest).toFixed(3));
    parts.push(mark);
    end = word.end;
  });
  if (end < letters.length) parts.push(printable(letters.slice(end).join('')));
  return make('p', {class: 'text', dir: 'auto'}, ...parts);
}

// Both texts of an explanation, and a sentence for those who do not see the light.
export function explained(found, {both = true} = {}) {
  const best = (words) => [...words].filter((word) => word.contribution > 0).sort((a, b) => b.contribution - a.contribution).slice(0, 3).map((word) => `“${printable(word.text)}”`).join(', ');
  const sides = {};
  const show = (side) => (word, on) => {
    if (word.partner !== null && sides[side]) sides[side].querySelector(`[data-at="${word.partner}"]`)?.classList.toggle('partner', on);
  };
  sides.a = lit(found.a, found.words_a, show('b'));
  sides.b = lit(found.b, found.words_b, show('a'));
  return {...sides, said: make('p', {class: 'small soft'}, 'Most of it: ', inline(best(found.words_a) || 'no single word'), both ? ' and ' : '', both ? inline(best(found.words_b) || 'no single word') : '', found.exact ? '.' : '; an estimate.')};
}

// Two texts with the words marked that the other one has not.
export function contrasted(one, other) {
  const words = (written) => written.toLowerCase().normalize().match(/[\p{L}\p{M}\p{N}]+/gu) || [];
  const known = new Set(words(other));
  const parts = written(one);
  function written(said) {
    return said.split(/([\p{L}\p{M}\p{N}]+)/u).map((piece, place) => (place % 2 && !known.has(piece.toLowerCase().normalize()) ? make('mark', {class: 'other'}, printable(piece)) : printable(piece)));
  }
  return make('p', {class: 'text', dir: 'auto'}, ...parts);
}

// A sentence in the place of what is not there, and what to do.
export function note(kind, title, words, ...acts) {
  return make('section', {class: `note ${kind}`, 'data-state': kind}, make('div', {class: 'signal', 'aria-hidden': 'true'}), make('h2', {}, title), words ? make('p', {dir: 'auto'}, words) : null, acts.length ? make('div', {class: 'row'}, ...acts) : null);
}

export const loading = (what) => make('div', {class: 'ghost', role: 'status', 'data-state': 'loading'}, make('span', {class: 'quiet'}, `${what} …`), ...Array.from({length: 6}, () => make('i', {'aria-hidden': 'true'})));

const SAID = {
  offline: ['bad', 'The server does not answer', 'It may be starting again, or your connection is down. What you typed stays here.'],
  scope: ['bad', 'This key may read, not write', 'Ask whoever runs the server for a key that may write.'],
  busy: ['busy', 'The server is busy', 'It takes no more work than it can do in time; nothing was lost.'],
  missing: ['bad', 'This is not here', 'It may have been removed, or was never named to the server.'],
  wrong: ['bad', 'That could not be done', ''],
  broken: ['bad', 'The server failed', 'Its log says more. If it happens again, report it.'],
};

// What went wrong, in words, and what to do about it. `again` is called when it is worth trying again.
export function troubled(trouble, again, life) {
  if (!(trouble instanceof Trouble)) throw trouble;
  if (trouble.kind === 'key') return keyForm(again);
  const [kind, title, words] = SAID[trouble.kind];
  const said = [trouble.why, trouble.fix].filter(Boolean).map(sentence).join(' ');
  const retry = button('Try again', () => again());
  const made = note(kind, trouble.what ? sentence(trouble.what).replace(/\.$/, '') : title, said || words, again ? retry : null);
  made.dataset.state = trouble.kind;
  made.setAttribute('role', 'alert');
  if (!again) return made;
  if (trouble.kind === 'busy') {
    if (!said) made.querySelector('p').textContent = words;
    countDown(retry, trouble.wait, again, life);
  }
  if (trouble.kind === 'offline') window.addEventListener('nearsense-online', () => made.isConnected && again(), {once: true, signal: life});
  return made;
}

const sentence = (words) => {
  const plain = printable(words.trim());
  return plain ? plain[0].toUpperCase() + plain.slice(1) + (/[.!?…:]$/.test(plain) ? '' : '.') : '';
};

function countDown(retry, seconds, again, life) {
  let left = Math.ceil(seconds);
  const tick = () => {
    if (life?.aborted || !retry.isConnected && left < Math.ceil(seconds)) return;
    if (left <= 0) {
      again();
      return;
    }
    retry.textContent = `Try again (by itself in ${left} s)`;
    left -= 1;
    setTimeout(tick, 1000);
  };
  tick();
}

function keyForm(again) {
  const input = make('input', {type: 'password', autocomplete: 'off', 'aria-label': 'Key', placeholder: 'Key', required: true, spellcheck: 'false'});
  const form = make('form', {onsubmit: (event) => {
    event.preventDefault();
    setKey(input.value);
    window.dispatchEvent(new Event('nearsense-key'));
    again();
  }}, input, make('button', {class: 'main'}, 'Open'));
  const made = note('key', 'This server wants a key', 'Ask whoever runs it. The key stays in this tab until you close it.');
  made.append(form);
  return made;
}

// Load, then show: the states in between are shown in the same place. `life` ends with the view.
export async function loaded(host, what, load, show, life) {
  let shown = false;
  const waiting = setTimeout(() => {
    if (!shown && !life.aborted) host.replaceChildren(loading(what));
  }, host.childElementCount ? 400 : 0);
  host.setAttribute('aria-busy', 'true');
  try {
    const found = await load();
    shown = true;
    if (!life.aborted) host.replaceChildren(...[show(found)].flat().filter(Boolean));
  } catch (error) {
    shown = true;
    if (error.name === 'AbortError' || life.aborted) return;
    host.replaceChildren(troubled(error, () => loaded(host, what, load, show, life), life));
  } finally {
    clearTimeout(waiting);
    host.removeAttribute('aria-busy');
  }
}

export function progressBar(job) {
  const known = job.total > 0;
  const made = make('div', {class: `bar${known ? '' : ' unknown'}`, role: 'progressbar', 'aria-label': job.kind, 'aria-valuemin': '0', 'aria-valuemax': '100', ...(known ? {'aria-valuenow': whole(job.done / job.total)} : {})}, make('i'));
  if (known) made.style.setProperty('--at', share(job.done / job.total));
  return made;
}

// When somebody has stopped typing.
export function settled(wait, act) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...given), wait);
  };
}

export const metadataChips = (metadata, pick) => {
  const known = Object.entries(metadata || {}).filter(([name, value]) => name !== 'passage' && value !== null && value !== '' && typeof value !== 'object');
  return known.slice(0, 8).map(([name, value]) => {
    const said = `${printable(name)}: ${shortened(String(value), 60)}`;
    return pick ? make('button', {type: 'button', class: 'chip', dir: 'auto', title: 'Show only these', onclick: () => pick(name, value)}, said) : make('span', {class: 'chip', dir: 'auto'}, said);
  });
};

export {make, number, percent, plural, printable, shortened};
