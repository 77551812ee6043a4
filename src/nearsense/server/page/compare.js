// Two texts: how likely they mean the same, what differs, and which words carry it.

import * as api from './api.js';
import {between, differences, explained, heading, make, note, say, select, settled, sure, troubled, unsure} from './parts.js';

export const title = 'Compare';

const BECAUSE = 'The probability is other than the score alone would give:';

export function open(host, app) {
  const side = (name, key) => {
    const made = make('textarea', {id: `text-${key}`, dir: 'auto', rows: '4', 'aria-label': name, placeholder: name, spellcheck: 'false'});
    made.value = app.params.get(key) || '';
    made.addEventListener('input', later);
    return made;
  };
  const later = settled(220, run);
  const [one, other] = [side('One text', 'a'), side('Another', 'b')];
  const result = make('section', {'aria-label': 'Result', class: 'wide-stack', id: 'result'});
  let model = app.params.get('model') || '';
  const models = app.models || [];
  host.replaceChildren(
    heading(title, 'How near two texts are in sense, and how sure that is.', models.length > 1 ? select('Model', models.map((each) => [each, each]), model || models[0], (name) => {
      model = name;
      run();
    }, {class: 'pick'}) : null),
    make('div', {class: 'sides'}, one, other), result);

  let pending = new AbortController();
  app.life.addEventListener('abort', () => pending.abort());
  async function run() {
    pending.abort();
    pending = new AbortController();
    const {signal} = pending;
    app.set({a: one.value, b: other.value, model});
    if (!one.value.trim() || !other.value.trim()) {
      result.replaceChildren(note('empty', 'Two texts, please', 'They are compared while you type. What you type is not kept.'));
      return;
    }
    try {
      // Some models give vectors of whole texts only: then no word can be lit, and all else is told.
      const words = api.explain(one.value, other.value, model, signal).catch((error) => (error.kind === 'wrong' ? null : Promise.reject(error)));
      const [found, why] = await Promise.all([api.compare(one.value, other.value, model, signal), words]);
      show(found, why);
    } catch (error) {
      if (error.name === 'AbortError' || app.life.aborted) return;
      result.replaceChildren(troubled(error, run, app.life));
    }
  }

  function show(found, why) {
    const words = why && explained(why);
    const verdict = found.reading || '';
    result.replaceChildren(
      make('div', {class: 'row verdict'}, sure(found, {large: true}), make('div', {class: 'stack'},
        verdict ? make('h2', {id: 'verdict'}, verdict[0].toUpperCase() + verdict.slice(1)) : null, differences(found), unsure(found),
        found.because?.length ? make('p', {class: 'small soft'}, `${BECAUSE} ${found.because.join(', ')}.`) : null,
        make('p', {class: 'small soft n'}, `Score ${found.score.toFixed(4)} · ${found.model}${found.calibration ? ` · ${found.calibration}` : ''}${found.prior === null || found.prior === undefined ? '' : `, prior ${found.prior.toFixed(2)}`}`))),
      ...(words ? [make('div', {class: 'stack'}, make('h2', {}, 'What carries the score'), make('div', {class: 'sides lit'}, make('div', {class: 'card quiet-card'}, words.a), make('div', {class: 'card quiet-card'}, words.b)), words.said)] : []));
    say(`${found.probability === null ? `score ${found.score.toFixed(2)}` : `${Math.round(100 * found.probability)} percent, ${between(found.interval)}`}. ${verdict}. ${found.differs?.length ? `Differs: ${found.differs.join(', ')}` : ''}`);
  }
  run();
}
