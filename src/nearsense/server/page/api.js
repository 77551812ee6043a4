// All that the page asks of the server: one function a route. Whatever goes wrong becomes one kind of Trouble.

const KEPT = 'nearsense-key';

// The key stays in this tab: it is gone when the tab is closed, and no other origin sees it.
let key = recalled();
function recalled() {
  try {
    return sessionStorage.getItem(KEPT) || '';
  } catch {
    return ''; // some settings keep nothing
  }
}

export function setKey(given) {
  key = given.trim();
  try {
    if (key) sessionStorage.setItem(KEPT, key);
    else sessionStorage.removeItem(KEPT);
  } catch { /* then it is kept as long as the page is open */ }
}

export const hasKey = () => key !== '';

// kind: "offline", "key", "scope", "busy", "missing", "wrong" (what was sent) or "broken" (the server).
export class Trouble extends Error {
  constructor(kind, {what = '', why = '', fix = '', wait = 0, status = 0} = {}) {
    super(what || kind);
    Object.assign(this, {kind, what, why, fix, wait, status});
  }
}

const KINDS = {401: 'key', 403: 'scope', 404: 'missing', 408: 'busy', 429: 'busy', 503: 'busy', 504: 'busy'};

function troubleOf(answer, told) {
  const kind = KINDS[answer.status] || (answer.status >= 500 ? 'broken' : 'wrong');
  const error = told && typeof told === 'object' ? told.error || told : {};
  const after = Number(answer.headers.get('Retry-After'));
  return new Trouble(kind, {
    what: String(error.message || ''), why: String(error.why || ''), fix: String(error.fix || ''), status: answer.status,
    wait: kind === 'busy' ? Math.min(60, Math.max(1, Number.isFinite(after) ? after : 2)) : 0,
  });
}

const listeners = new Set();
export const onContact = (told) => listeners.add(told); // told(true) when the server answered, told(false) when not

async function ask(method, path, {body, signal, as = 'json', kind = 'application/json'} = {}) {
  const headers = {Accept: as === 'json' ? 'application/json' : '*/*'};
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body !== undefined) headers['Content-Type'] = kind;
  let answer;
  let told = null;
  try {
    answer = await fetch(path, {method, headers, signal, cache: 'no-store', body: body === undefined || body instanceof Blob ? body : JSON.stringify(body)});
    const text = await answer.text();
    try {
      told = as === 'json' || !answer.ok ? JSON.parse(text || 'null') : text;
    } catch {
      told = as === 'json' ? null : text;
    }
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    listeners.forEach((listener) => listener(false));
    throw new Trouble('offline');
  }
  listeners.forEach((listener) => listener(true));
  if (!answer.ok) throw troubleOf(answer, told);
  return told;
}

const at = (...parts) => `/v1/${parts.map(encodeURIComponent).join('/')}`;
const get = (path, signal, options = {}) => ask('GET', path, {signal, ...options});
const post = (path, body, signal) => ask('POST', path, {body, signal});
const given = (values) => new URLSearchParams(Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== ''));

const pause = (seconds, signal) => new Promise((done, failed) => {
  const timer = setTimeout(done, 1000 * seconds);
  signal?.addEventListener('abort', () => {
    clearTimeout(timer);
    failed(new DOMException('left', 'AbortError'));
  }, {once: true});
});

// What a change gives: at once, or as a job, which is asked for until it has ended. `told` hears how far it is.
async function outcome(answer, signal, told = () => {}) {
  if (!answer?.job) return answer;
  let {job} = answer;
  let wait = 0.15;
  while (!['done', 'failed', 'cancelled'].includes(job.state)) {
    told(job);
    await pause(wait, signal);
    wait = Math.min(2, wait * 1.4);
    job = await get(at('jobs', job.id), signal);
    job = job.job || job;
  }
  if (job.state === 'done') return job.result;
  if (job.state === 'cancelled') throw new Trouble('wrong', {what: 'it was stopped', why: 'what was done before is kept'});
  throw new Trouble('wrong', {what: job.error?.message, why: job.error?.why, fix: job.error?.fix});
}

// What there is.
export async function world(signal) {
  const [found, asked] = await Promise.all([get(at('collections'), signal), get(at('faqs'), signal)]);
  return {collections: found.collections, canCreate: found.can_create, faqs: asked.faqs};
}
export const collection = (name, signal) => get(at('collections', name), signal);

// Verbs.
export const search = (name, query, {k, where, mode, signal}) => post(at('search'), {collection: name, query, k, where, mode}, signal);
export const similar = (name, id, {k, where, signal}) => post(at('similar'), {collection: name, id, k, where}, signal);
export const compare = (a, b, model, signal) => post(at('compare'), {a, b, model: model || undefined}, signal);
export const explain = (a, b, model, signal) => post(at('explain'), {a, b, model: model || undefined}, signal);
export const answer = (faq, question, signal) => post(at('faq'), {faq, question, k: 5}, signal);
export async function duplicates(name, least, signal) {
  const found = await post(at('duplicates'), {collection: name, min_probability: least, pairs: 1000}, signal);
  return {pairs: found.pair_list};
}

// Documents, and collections.
const renamed = (found) => ({...found, deleted: found.deleted, added: found.added ?? found.written});
export const documents = (name, offset, limit, signal) => get(`${at('collections', name, 'documents')}?${given({offset, limit})}`, signal);
export const remove = (name, ids, signal, told) => inParts(ids, (part) => post(at('collections', name, 'delete'), {ids: part}, signal), 'deleted', told);
export const addTexts = (name, texts, signal, told) => inParts(texts, (part) => post(at('collections', name, 'documents'), {documents: part}, signal).then((found) => outcome(found, signal, told)), 'added', told);
export const addFile = (name, file, signal, told) => ask('POST', `${at('collections', name, 'files')}?${given({mode: 'add', name: file.name, skip_empty: true})}`, {body: file, kind: 'application/octet-stream', signal}).then((found) => outcome(found, signal, told)).then(renamed);
export const createCollection = (name, signal) => post(at('collections'), {name}, signal);

// As many as one request may bring at a time, one part after the other.
const MOST = 1000;
async function inParts(items, send, counted, told = () => {}) {
  let count = 0;
  for (let first = 0; first < items.length; first += MOST) {
    count += (await send(items.slice(first, first + MOST)))[counted] ?? 0;
    if (items.length > MOST) told({done: Math.min(items.length, first + MOST), total: items.length, state: 'running', kind: counted});
  }
  return {[counted]: count};
}

// Review.
export const decisions = (name, signal) => get(at('collections', name, 'decisions'), signal);
export const decide = (name, list, signal) => post(at('collections', name, 'decisions'), {decisions: list}, signal);
export const undecide = (name, left, right, signal) => ask('DELETE', `${at('collections', name, 'decisions')}?${given({left, right})}`, {signal});
export const learn = (name, signal, told) => post(at('collections', name, 'decisions', 'learn'), {}, signal).then((found) => outcome(found, signal, told));

// What was asked in vain, and entries for it.
export const unanswered = (faq, since, signal) => get(`${at('faqs', faq, 'unanswered')}?${given({since})}`, signal);
const putEntry = (faq, entry, signal) => post(at('faqs', faq, 'entries'), entry, signal).then((found) => outcome(found, signal));

// Each phrasing as a row of its own, with the entry's id: every file with ids has room for that.
export async function addPhrasings(faq, id, phrasings, signal) {
  for (const question of phrasings) await putEntry(faq, {question, id}, signal);
}

export async function addEntry(faq, entry, signal) {
  try {
    return await putEntry(faq, entry, signal);
  } catch (error) {
    if (error.kind !== 'wrong' || !entry.phrasings.length) throw error; // the file may have no column for phrasings
    const found = await putEntry(faq, {...entry, phrasings: []}, signal);
    await addPhrasings(faq, found.entry.id, entry.phrasings, signal);
    return found;
  }
}
export const entries = (faq, signal) => get(at('faqs', faq, 'entries'), signal);

// Maps, jobs, drift.
export const knownMap = (name, signal) => get(at('collections', name, 'map'), signal);
export const drawMap = (name, signal, told) => post(at('collections', name, 'map'), undefined, signal).then((found) => outcome(found, signal, told));
export const jobs = (signal) => get(at('jobs'), signal);
export const cancel = (id, signal) => ask('DELETE', at('jobs', id), {signal});
export const drift = (kind, name, since, against, signal) => get(`${at(kind, name, 'drift')}?${given({since, against})}`, signal);

// How the server is. Health is always told; figures are there where metrics are.
export async function health(signal) {
  try {
    await get(at('ready'), signal);
    return {ready: true};
  } catch (error) {
    if (error.kind === 'busy') return {ready: false};
    throw error;
  }
}

export async function glance(signal) {
  const [{ready}, version, written] = await Promise.all([health(signal), get(at('version'), signal), get('/metrics', signal, {as: 'text'}).catch((error) => (error.kind === 'missing' ? '' : Promise.reject(error)))]);
  return {ready, version: version.nearsense, figures: figures(written)};
}

// Prometheus' text: name -> [[labels, value], ...].
function figures(written) {
  const found = new Map();
  for (const line of written.split('\n')) {
    const parts = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
    if (!parts) continue;
    const labels = Object.fromEntries([...(parts[2] || '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [name, value]));
    if (!found.has(parts[1])) found.set(parts[1], []);
    found.get(parts[1]).push([labels, Number(parts[3])]);
  }
  return found;
}
