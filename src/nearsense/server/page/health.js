// How the server is and whether what comes in is still what came before, at a glance.

import * as api from './api.js';
import {button, heading, inline, loaded, make, note, number, percent, plural, printable, say, select, troubled} from './parts.js';
import {chosen, picker} from './main.js';

export const title = 'Health';

const bytes = (size) => (size >= 1e9 ? `${(size / 1e9).toFixed(1)} GB` : size >= 1e6 ? `${(size / 1e6).toFixed(1)} MB` : `${Math.max(1, Math.round(size / 1e3))} kB`);
const span = (seconds) => (seconds < 90 ? `${Math.round(seconds)} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`);
const milliseconds = (seconds) => (seconds === null ? 'unknown' : seconds >= 1 ? `${number(seconds)} s` : `${number(Math.round(1000 * seconds))} ms`);

// Within how many seconds a share of the requests to verbs was answered: the bound of the histogram's bucket.
function quantile(figures, share) {
  const buckets = new Map();
  for (const [labels, value] of figures.get('nearsense_http_request_seconds_bucket') || []) {
    if (labels.route?.startsWith('/v1/')) buckets.set(labels.le, (buckets.get(labels.le) || 0) + value);
  }
  const total = buckets.get('+Inf');
  if (!total) return null;
  const bounds = [...buckets].map(([bound, value]) => [Number(bound), value]).filter(([bound]) => Number.isFinite(bound)).sort(([one], [other]) => one - other);
  return (bounds.find(([, value]) => value >= share * total) || [null])[0];
}

const figure = (name, value, more) => make('div', {}, make('dt', {}, name), make('dd', {class: /^[\d<>]/.test(value) ? false : 'words'}, value, more ? make('small', {}, more) : null));

export function open(host, app) {
  const own = chosen(app);
  const now = make('section', {'aria-label': 'Server', id: 'now'});
  const held = make('section', {'aria-label': 'Collection', id: 'held', class: 'stack'});
  const drift = make('section', {'aria-label': 'Drift', id: 'drift', class: 'stack'});
  const jobs = make('section', {'aria-label': 'Work', id: 'jobs', class: 'stack'});
  host.replaceChildren(heading(title, '', picker(app, own)), now, held, drift, jobs);

  const refresh = () => loaded(now, 'Asking the server', () => api.glance(app.life), show, app.life);
  function show({ready, version, figures}) {
    const sum = (name, fits = () => true) => (figures.has(name) ? figures.get(name).filter(([labels]) => fits(labels)).reduce((total, [, value]) => total + value, 0) : null);
    const requests = sum('nearsense_http_requests_total');
    const failed = sum('nearsense_http_requests_total', ({status}) => status >= '500');
    const busy = sum('nearsense_http_requests_total', ({status}) => status === '429');
    const began = sum('process_start_time_seconds');
    const [half, most] = [quantile(figures, 0.5), quantile(figures, 0.99)];
    const [known, unknown] = ['yes', 'no'].map((each) => sum('nearsense_cache_lookups_total', (labels) => labels.known === each));
    const vain = sum('nearsense_answers_total', ({answered}) => answered === 'no');
    const asked = sum('nearsense_answers_total');
    const moved = sum('nearsense_drift');
    return make('dl', {class: 'figures'},
      figure('Server', ready ? 'Ready' : 'Starting', [`nearsense ${version}`, began && `up ${span(Date.now() / 1000 - began).replace(' ', '\u00a0')}`].filter(Boolean).join(', ')),
      requests === null ? null : figure('Requests', number(requests), [failed ? plural(failed, 'failure', 'failures') : 'none failed', busy ? `${number(busy)} turned away` : ''].filter(Boolean).join(', ')),
      half === null ? null : figure('Answered within', milliseconds(half), `half of them; 99 of 100 in ${milliseconds(most)}`),
      sum('nearsense_queue_tokens') === null ? null : figure('Waiting', number(sum('nearsense_queue_tokens')), `tokens, of ${plural(sum('nearsense_queue_requests') ?? 0, 'request', 'requests')}`),
      known + unknown ? figure('From the cache', percent(known / (known + unknown)), `of ${number(known + unknown)} texts`) : null,
      asked ? figure('Unanswered', percent(vain / asked), `of ${plural(asked, 'search or question', 'searches and questions')}`) : null,
      moved === null ? null : figure('Drift', moved ? 'Moved' : 'None', 'at the last look'));
  }
  const timer = setInterval(() => document.visibilityState === 'visible' && refresh(), 10000);
  app.life.addEventListener('abort', () => clearInterval(timer));

  if (own) {
    loaded(held, 'Asking the collection', () => api.collection(own.name, app.life), (info) => [make('h2', {}, inline(info.name || own.name)), make('dl', {class: 'figures'},
      figure('Documents', number(info.documents), info.pending ? `${number(info.pending)} not in the index yet` : info.index ? `index: ${info.index}` : ''),
      figure('Model', inline(info.model), info.dimension ? `${number(info.dimension)} dimensions` : ''),
      info.recall === null || info.recall === undefined ? null : figure('Recall', `${(100 * info.recall).toFixed(1)} %`, 'of the ten nearest'),
      info.size ? figure('On the disk', bytes(info.size), info.truncated ? `${plural(info.truncated, 'text was', 'texts were')} cut` : '') : null,
      figure('Log', info.log ? (info.log === 'hashed' ? 'Hashed' : 'On') : 'Off', info.log ? 'what is asked is kept' : 'nothing is kept of what is asked'))], app.life);
  } else {
    held.replaceChildren(note('empty', 'No collection', 'The server answers, and holds no collection.'));
  }

  // What is asked of the collection and of each FAQ, lately and before.
  const logs = [...(own ? [['collections', own.name]] : []), ...app.faqs.map((each) => ['faqs', each.name])];
  const SPANS = [['1d 28d', 'the last day with four weeks'], ['7d 28d', 'the last week with four weeks'], ['30d 90d', 'the last month with three']];
  function look(spans = '7d 28d') {
    const place = make('div', {class: 'stack'});
    drift.replaceChildren(make('div', {class: 'row'}, make('h2', {}, 'Drift'), logs.length ? select('Spans', SPANS, spans, (chosen) => look(chosen), {class: 'pick push'}) : null), place);
    if (!logs.length) {
      place.replaceChildren(note('empty slim', 'Nobody can ask yet', 'Drift is seen in what people ask of a collection or a FAQ.'));
      return;
    }
    place.replaceChildren(make('p', {class: 'soft'}, 'Are the questions of late still like those before?'), ...logs.map(([kind, name]) => {
      const result = make('div', {class: 'stack'});
      const start = button('Compare', compare, {class: 'compare', 'aria-label': `Compare what is asked of ${name}`});
      async function compare() {
        start.disabled = true;
        result.replaceChildren(make('p', {class: 'small soft', role: 'status'}, 'Comparing …'));
        try {
          const found = await api.drift(kind, name, ...spans.split(' '), app.life);
          result.replaceChildren(...told(found).filter(Boolean));
          say(found.verdict);
        } catch (error) {
          if (error.name === 'AbortError' || app.life.aborted) return;
          result.replaceChildren(error.kind === 'wrong' ? note('empty slim', 'Nothing to compare yet', `${printable(error.message[0].toUpperCase() + error.message.slice(1))}. Drift is seen in what people ask: it needs a log, and questions in both spans.`) : troubled(error, compare, app.life));
        } finally {
          start.disabled = false;
        }
      }
      return make('div', {class: 'stack'}, make('div', {class: 'row'}, make('span', {}, kind === 'faqs' ? 'FAQ ' : '', inline(name)), start), result);
    }));
  }

  function told(found) {
    const topics = (found.topics || []).slice(0, 6);
    return [
      make('p', {class: 'outcome', id: 'verdict'}, make('span', {class: `dot ${found.drifted ? 'bad' : 'good'}`, 'aria-hidden': 'true'}), found.drifted ? 'Something moved' : 'No drift'),
      make('p', {class: 'soft'}, printable(found.verdict)),
      make('div', {class: 'wide', tabindex: '0', role: 'region', 'aria-label': 'What was compared'}, make('table', {}, make('caption', {}, 'What was compared'), make('thead', {}, make('tr', {}, ...['Test', 'p', 'Now', 'Before', ''].map((name, place) => make('th', {scope: 'col', class: place > 0 && place < 4 ? 'n' : false}, name || make('span', {class: 'quiet'}, 'Outcome'))))),
        make('tbody', {}, ...(found.tests || []).map((test) => make('tr', {}, make('th', {scope: 'row'}, test.name), ...[test.adjusted, test.current, test.reference].map((value) => make('td', {class: 'n'}, value === null || value === undefined ? '–' : value.toFixed(3))), make('td', {}, test.drifted ? 'drifted' : 'as before')))))),
      topics.length ? make('div', {class: 'stack'}, make('h3', {}, 'Topics that moved'), make('ul', {class: 'lines'}, ...topics.map((topic) => make('li', {}, make('div', {class: 'line-head'}, make('span', {class: 'chip'}, topic.change), make('span', {class: 'grow', dir: 'auto'}, printable(topic.label)), make('span', {class: 'n soft'}, `${percent(topic.share_before)} → ${percent(topic.share)}`)))))) : null,
      (found.actions || []).length ? make('div', {class: 'stack'}, make('h3', {}, 'What to do'), ...found.actions.map((action) => make('div', {class: 'card quiet-card'}, make('p', {}, make('b', {}, action.what), ': ', inline(action.why)), make('p', {class: 'code', dir: 'ltr'}, printable(action.command))))) : null,
    ];
  }

  const listed = () => loaded(jobs, 'Asking for work', () => api.jobs(app.life), (found) => (found.jobs.length ? [make('h2', {}, 'Work'), make('ul', {class: 'lines'}, ...found.jobs.slice(0, 10).map((job) => make('li', {}, make('div', {class: 'line-head'}, make('span', {class: 'chip'}, job.state), make('span', {class: 'grow'}, job.kind, job.collection ? ' · ' : '', job.collection ? inline(job.collection) : ''), make('span', {class: 'soft n small'}, job.total ? `${number(job.done)} of ${number(job.total)} ${job.unit || ''}` : '')), job.error ? make('p', {class: 'small soft', dir: 'auto'}, printable(job.error.message)) : null)))] : []), app.life);
  look();
  refresh();
  listed();
}
