// The FAQ as those who ask see it: an answer, entries that may be meant, or silence, beside the threshold that decides.

import * as api from './api.js';
import {between, button, differences, heading, inline, make, meter, note, percent, plural, printable, say, settled, text, troubled, unsure} from './parts.js';
import {chosen, picker} from './main.js';

export const title = 'FAQ';

const OUTCOMES = {
  answer: ['good', 'Answered'],
  'did you mean': ['busy', 'Did you mean …?'],
  none: ['', 'No answer'],
};

export const noFAQ = () => note('empty', 'No FAQ yet', 'A FAQ is a file with questions and answers. Name one where the server is started: nearsense serve --faq faq.csv');

export function open(host, app) {
  const own = chosen(app, app.faqs, 'faq');
  if (!own) {
    host.replaceChildren(heading(title), noFAQ());
    return;
  }
  const input = make('input', {type: 'search', id: 'asked', dir: 'auto', autocomplete: 'off', spellcheck: 'false', 'aria-label': 'Question', placeholder: 'Ask as a customer would'});
  input.value = app.params.get('q') || '';
  const result = make('section', {class: 'wide-stack', id: 'result', 'aria-label': 'Answer'});
  host.replaceChildren(
    heading(title, `${plural(own.entries ?? 0, 'entry', 'entries')}. It answers where it is sure enough, asks back where it is torn, and is silent where it does not know.`, picker(app, own, app.faqs, 'faq')),
    make('form', {role: 'search', onsubmit: (event) => {
      event.preventDefault();
      run();
    }}, make('div', {class: 'ask'}, input)), result);

  let pending = new AbortController();
  app.life.addEventListener('abort', () => pending.abort());
  async function run() {
    pending.abort();
    pending = new AbortController();
    const {signal} = pending;
    const question = input.value.trim();
    app.set({q: question});
    if (!question) {
      result.replaceChildren(note('empty', 'What would they ask?', 'Try a question in other words than the FAQ’s own, one that it cannot know, and one that is nearly another.'));
      return;
    }
    try {
      show(await api.answer(own.name, question, signal));
    } catch (error) {
      if (error.name === 'AbortError' || app.life.aborted) return;
      result.replaceChildren(troubled(error, run, app.life));
    }
  }
  input.addEventListener('input', settled(260, run));

  function ask(question) {
    input.value = question;
    run();
    input.focus();
  }

  function show(found) {
    const [dot, name] = OUTCOMES[found.outcome] || OUTCOMES.none;
    const passed = found.outcome === 'answer';
    const best = found.candidates[0];
    result.replaceChildren(
      make('article', {class: `card answer ${passed ? 'yes' : ''}`.trim(), 'data-outcome': found.outcome},
        make('p', {class: 'outcome'}, make('span', {class: `dot ${dot}`, 'aria-hidden': 'true'}), name),
        passed ? text(found.answer ?? found.hit.text) : null,
        ...(found.outcome === 'did you mean' ? found.suggestions.map((hit) => button('', () => ask(hit.text), {class: 'suggest'}, inline(hit.text), make('span', {class: 'push soft n'}, percent(hit.probability)))) : []),
        make('p', {class: 'small soft', id: 'reason', dir: 'ltr'}, sentence(found.reason)),
        found.outcome === 'answer' ? null : make('p', {}, make('a', {class: 'button', href: `#/unanswered?faq=${encodeURIComponent(own.name)}&question=${encodeURIComponent(found.question)}`}, 'Make an entry of it'))),
      best ? make('section', {class: 'stack'}, make('h2', {}, 'What it weighed'), scale(found)) : '');
    say(`${name} ${passed ? printable(found.answer ?? found.hit.text).slice(0, 200) : printable(found.reason)}`);
  }

  // The candidates on one scale from 0 to 100 %; the threshold is one line through all of them.
  function scale(found) {
    const mark = found.threshold;
    const legend = make('li', {class: 'legend'}, make('span', {}, `from ${percent(mark)} on it answers`), make('span', {id: 'threshold'}, make('span', {}, percent(mark))), make('span'));
    legend.style.setProperty('--mark', mark);
    return make('ol', {class: 'scale', id: 'scale'}, legend, ...found.candidates.map((hit) => make('li', {},
      make('span', {class: 'text', dir: 'auto'}, printable(hit.text)),
      meter(hit.probability, hit.interval, {mark, passed: hit.probability !== null && hit.probability >= mark}),
      make('b', {title: between(hit.interval)}, hit.probability === null ? '–' : percent(hit.probability)),
      ...[differences(hit), unsure(hit)].filter(Boolean))));
  }

  if (!matchMedia('(pointer: coarse)').matches) input.focus();
  run();
}

const sentence = (words) => (words ? `${printable(words[0].toUpperCase() + words.slice(1))}.` : '');
