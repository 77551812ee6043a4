// What a collection holds: looked through, added to, removed from. Work that takes its time is shown until it ends.

import * as api from './api.js';
import {button, field, heading, loaded, make, metadataChips, note, number, plural, printable, progressBar, say, text, troubled} from './parts.js';
import {chosen, picker} from './main.js';

export const title = 'Documents';

const PAGE = 25;

export function open(host, app) {
  const own = chosen(app);
  const creating = make('div', {id: 'creating'});
  const create = app.canCreate ? button('New collection', () => creating.replaceChildren(creating.childElementCount ? '' : newCollection()), {class: 'plain', id: 'new'}) : null;
  if (!own) {
    host.replaceChildren(heading(title, '', create), creating, note('empty', 'No collection yet', app.canCreate ? 'A collection holds the texts that are searched.' : 'Name one where the server is started: nearsense serve support.nearsense', app.canCreate ? button('Make the first one', () => creating.replaceChildren(newCollection()), {class: 'main'}) : null));
    return;
  }
  let offset = 0;
  let total = own.documents;
  const ticked = new Set();
  const work = make('div', {id: 'work', class: 'stack'});
  const list = make('section', {'aria-label': 'Documents', id: 'documents'});
  const count = make('span', {class: 'soft n', id: 'count'});
  const remove = button('Remove', removeTicked, {class: 'no', id: 'remove', hidden: true});
  const written = make('textarea', {rows: '3', dir: 'auto', id: 'written', placeholder: 'A text a line'});
  const file = make('input', {type: 'file', id: 'file', class: 'quiet', tabindex: '-1', 'aria-hidden': 'true', accept: '.csv,.tsv,.jsonl,.json,.txt,.xlsx,.ods,.parquet', onchange: () => file.files[0] && upload(file.files[0])});
  const drop = make('div', {class: 'drop', ondragover: (event) => {
    event.preventDefault();
    drop.classList.add('over');
  }, ondragleave: () => drop.classList.remove('over'), ondrop: (event) => {
    event.preventDefault();
    drop.classList.remove('over');
    if (event.dataTransfer.files[0]) upload(event.dataTransfer.files[0]);
  }}, button('Choose a file', () => file.click(), {id: 'choose'}), make('span', {class: 'soft small'}, 'or drop it here: csv, xlsx, jsonl, parquet, txt; 8 MB at most'), file);
  const adding = make('section', {class: 'stack', 'aria-label': 'Add', id: 'adding', hidden: true},
    make('form', {class: 'stack', onsubmit: (event) => {
      event.preventDefault();
      addWritten();
    }}, field('Texts, one a line', written), make('div', {class: 'row'}, make('button', {class: 'main', id: 'add'}, 'Add'))), drop);
  const opener = button('Add documents', () => {
    adding.hidden = !adding.hidden;
    opener.setAttribute('aria-expanded', String(!adding.hidden));
    if (!adding.hidden) written.focus();
  }, {'aria-expanded': 'false', id: 'open-add'});
  host.replaceChildren(heading(title, '', make('div', {class: 'row tight'}, create, picker(app, own))), creating, make('div', {class: 'row'}, count, make('span', {class: 'row push'}, remove, opener)), adding, work, list);

  const load = () => loaded(list, 'Loading documents', () => api.documents(own.name, offset, PAGE, app.life), show, app.life);

  function show(found) {
    total = found.total ?? total;
    count.textContent = plural(total, 'document', 'documents');
    if (!found.documents.length && !offset) {
      if (adding.hidden) opener.click();
      return note('empty', 'Nothing here yet', 'Write or paste texts above, one a line, or drop a file.');
    }
    const turn = (by) => {
      offset = Math.max(0, offset + by);
      load().then(() => list.scrollIntoView({block: 'start'}));
    };
    return [make('ul', {class: 'lines'}, ...found.documents.map(line)),
      total > PAGE ? make('nav', {class: 'row', 'aria-label': 'Pages'}, button('← Back', () => turn(-PAGE), {disabled: offset === 0}), make('span', {class: 'soft n small'}, `${number(offset + 1)}–${number(offset + found.documents.length)} of ${number(total)}`), button('Next →', () => turn(PAGE), {disabled: offset + PAGE >= total})) : null];
  }

  function line(each) {
    const box = make('input', {type: 'checkbox', 'aria-label': `Choose ${printable(each.id)}`, onchange: () => {
      if (box.checked) ticked.add(each.id);
      else ticked.delete(each.id);
      showTicked();
    }});
    box.checked = ticked.has(each.id);
    return make('li', {'data-id': each.id}, make('div', {class: 'line-head'}, make('label', {class: 'check'}, box), make('div', {class: 'grow stack'}, text(each.text, each.text.length > 600 ? 'long' : ''), make('div', {class: 'chips'}, make('span', {class: 'chip', dir: 'auto'}, printable(each.id)), ...metadataChips(each.metadata)))));
  }

  function showTicked() {
    remove.hidden = ticked.size === 0;
    remove.textContent = `Remove ${number(ticked.size)}`;
  }

  function removeTicked() {
    const ids = [...ticked];
    const asked = make('dialog', {'aria-label': 'Remove'}, make('form', {method: 'dialog', class: 'stack'},
      make('h2', {}, `Remove ${plural(ids.length, 'document', 'documents')}?`), make('p', {class: 'soft'}, 'It cannot be taken back.'),
      make('div', {class: 'row'}, make('button', {value: 'no', id: 'keep'}, 'Keep'), make('button', {value: 'yes', class: 'no', id: 'really'}, 'Remove'))), );
    asked.addEventListener('close', async () => {
      const yes = asked.returnValue === 'yes';
      asked.remove();
      if (yes) await run('Removing', () => api.remove(own.name, ids, app.life, tell('Removing')), (found) => `${plural(found.deleted ?? ids.length, 'document', 'documents')} removed.`);
      if (yes) ticked.clear();
      showTicked();
    });
    document.body.append(asked);
    asked.showModal();
  }

  const tell = (name) => (job) => showJob(name, job);
  function showJob(name, job) {
    if (app.life.aborted) return;
    work.replaceChildren(make('div', {class: 'banner', id: 'job'}, make('span', {}, `${name}: ${job.total ? `${number(job.done)} of ${number(job.total)}` : job.state}`), button('Stop', () => api.cancel(job.id, app.life).catch(() => {}), {class: 'plain push'})), progressBar(job));
  }

  async function run(name, act, told) {
    work.replaceChildren(make('div', {class: 'banner', role: 'status'}, `${name} …`));
    try {
      const words = told(await act());
      work.replaceChildren(make('div', {class: 'banner', role: 'status', id: 'told'}, words));
      say(words);
      app.changed();
      await load();
      return true;
    } catch (error) {
      if (error.name !== 'AbortError' && !app.life.aborted) work.replaceChildren(troubled(error, null, app.life));
      return false;
    }
  }

  const added = (found) => `${plural(found.added ?? 0, 'document', 'documents')} added.`;
  async function addWritten() {
    const texts = written.value.split('\n').map((each) => each.trim()).filter(Boolean);
    if (!texts.length) return;
    if (await run('Adding', () => api.addTexts(own.name, texts, app.life, tell('Adding')), added)) written.value = '';
  }
  const upload = async (given) => {
    await run(`Reading ${given.name}`, () => api.addFile(own.name, given, app.life, tell('Adding')), added);
    file.value = '';
  };

  function newCollection() {
    const name = make('input', {type: 'text', required: true, pattern: '[A-Za-z0-9][A-Za-z0-9_\\-]{0,99}', title: 'Letters, digits, - and _', autocomplete: 'off', spellcheck: 'false'});
    const told = make('div');
    return make('form', {class: 'card', 'aria-label': 'New collection', onsubmit: async (event) => {
      event.preventDefault();
      try {
        await api.createCollection(name.value.trim(), app.life);
        app.changed();
        app.set({collection: name.value.trim()});
        app.reopen();
      } catch (error) {
        if (error.name !== 'AbortError') told.replaceChildren(troubled(error, null, app.life));
      }
    }}, field('Name', name, 'Letters, digits, - and _'), make('div', {class: 'row'}, make('button', {class: 'main'}, 'Make it')), told);
  }

  load();
}
