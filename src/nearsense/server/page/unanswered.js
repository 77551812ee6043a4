// What people asked in vain, grouped by meaning; each group becomes an entry, or a phrasing of one that is there.

import * as api from './api.js';
import {button, field, heading, inline, loaded, make, note, number, percent, plural, printable, say, select, troubled} from './parts.js';
import {chosen, picker} from './main.js';
import {noFAQ} from './faq.js';

export const title = 'Unanswered';

const SPANS = [['7d', 'last 7 days'], ['30d', 'last 30 days'], ['90d', 'last 90 days'], ['', 'ever']];

export function open(host, app) {
  const own = chosen(app, app.faqs, 'faq');
  if (!own) {
    host.replaceChildren(heading(title), noFAQ());
    return;
  }
  let since = app.params.get('since') ?? '30d';
  const list = make('section', {class: 'stack', 'aria-label': 'Groups', id: 'groups'});
  host.replaceChildren(
    heading(title, 'What people asked and got no answer to, put together by meaning, the most asked first.', make('div', {class: 'row tight'}, select('Since', SPANS, since, (span) => {
      since = span;
      app.set({since});
      load();
    }, {class: 'pick'}), picker(app, own, app.faqs, 'faq'))), list);

  const asked = app.params.get('question');
  if (asked) {
    const item = entryForm({label: asked, queries: [{query: asked, count: 1}], nearest: [], entry: null}, () => {
      item.remove();
      app.set({question: ''});
    });
    item.classList.add('card');
    list.before(item);
    item.querySelector('textarea').focus();
  }

  let writable = true;
  const load = () => loaded(list, 'Grouping questions', async () => {
    const [found, kept] = await Promise.all([api.unanswered(own.name, since, app.life), api.entries(own.name, app.life)]);
    writable = kept.writable;
    return found;
  }, show, app.life);

  function show(found) {
    const {groups} = found;
    const short = found.logged ? '' : ' No log is kept, so these are the questions since the server started.';
    if (!groups.length) return note('empty', 'Nothing is unanswered', `Every question of this time got an answer. What does not will be gathered here.${short}`);
    const total = groups.reduce((sum, group) => sum + group.count, 0);
    say(`${plural(groups.length, 'group', 'groups')}, ${plural(total, 'question', 'questions')}`);
    return [make('p', {class: 'small soft'}, `${plural(total, 'question', 'questions')} in ${plural(groups.length, 'group', 'groups')}.${short}`), writable ? null : readOnly(), make('ol', {class: 'lines'}, ...groups.slice(0, 100).map(line))];
  }

  const readOnly = () => make('p', {class: 'banner', id: 'read-only'}, 'The file of this FAQ is not written from here. Start the server with --write-faqs to make entries with a click.');

  function line(group) {
    const others = group.queries.filter((each) => each.query !== group.label);
    const [first] = group.nearest;
    const near = group.entry || (first && first.id);
    const inset = make('div', {class: 'inset'});
    const make_entry = button('Make an entry', () => {
      const opened = make_entry.getAttribute('aria-expanded') === 'true';
      make_entry.setAttribute('aria-expanded', String(!opened));
      inset.querySelector('form')?.remove();
      if (opened) return;
      const form = entryForm(group, () => done(item, 'It is an entry now.'));
      inset.append(form);
      form.querySelector('textarea').focus();
    }, {'aria-expanded': 'false'});
    const item = make('li', {class: 'group'},
      make('div', {class: 'line-head'}, make('span', {class: 'count', title: `asked ${plural(group.count, 'time', 'times')}`}, number(group.count)), make('div', {class: 'grow stack'},
        make('h2', {dir: 'auto'}, printable(group.hashed ? `Near ${group.label}` : group.queries.length === 1 ? group.queries[0].query : group.label)),
        others.length ? make('ul', {class: 'small soft'}, ...others.slice(0, 4).map((each) => make('li', {}, inline(each.query), each.count > 1 ? ` ×${number(each.count)}` : '')), others.length > 4 ? make('li', {}, `and ${number(others.length - 4)} more`) : null) : null,
        near ? make('p', {class: 'small soft'}, 'Nearest: ', inline(near), group.mean_probability === null ? '' : `, ${percent(group.mean_probability)} likely`) : null)),
      group.hashed || !writable ? null : make('div', {class: 'inset'}, make('div', {class: 'row tight'}, make_entry,
        first ? button('It asks the same as the nearest', async (event) => {
          const pressed = event.currentTarget;
          pressed.disabled = true;
          try {
            await api.addPhrasings(own.name, first.id, group.queries.map((each) => each.query).slice(0, 50), app.life);
            done(item, 'Its questions are phrasings of the nearest entry now.');
          } catch (error) {
            pressed.disabled = false;
            inset.replaceChildren(troubled(error, null, app.life));
          }
        }, {class: 'plain', title: near}) : null)), inset);
    return item;
  }

  function done(item, words) {
    say(words);
    const next = item.nextElementSibling || item.previousElementSibling;
    item.replaceWith(make('li', {class: 'small soft', role: 'status'}, `✓ ${words}`));
    next?.querySelector('button')?.focus();
    app.changed();
  }

  function entryForm(group, saved) {
    const question = make('input', {type: 'text', dir: 'auto', required: true});
    question.value = group.queries[0].query;
    const answer = make('textarea', {rows: '3', dir: 'auto', required: true});
    const phrasings = group.queries.slice(1, 21).map((each) => {
      const box = make('input', {type: 'checkbox', value: each.query});
      box.checked = true;
      return make('label', {class: 'check'}, box, inline(each.query));
    });
    const told = make('div');
    const save = make('button', {class: 'main'}, 'Add to the FAQ');
    return make('form', {class: 'stack form', 'aria-label': 'New entry', onsubmit: async (event) => {
      event.preventDefault();
      const form = event.currentTarget;
      save.disabled = true;
      told.replaceChildren();
      try {
        const also = [...form.querySelectorAll('input[type=checkbox]:checked')].map((box) => box.value);
        await api.addEntry(own.name, {question: question.value.trim(), answer: answer.value.trim(), phrasings: also}, app.life);
        saved();
        say('Added to the FAQ.');
      } catch (error) {
        if (error.name !== 'AbortError') told.replaceChildren(troubled(error, null, app.life));
      } finally {
        save.disabled = false;
      }
    }}, field('Question', question), phrasings.length ? make('fieldset', {class: 'field plain-set'}, make('legend', {class: 'small soft'}, 'Also asked as'), ...phrasings) : null, field('Answer', answer), make('div', {class: 'row'}, save), told);
  }

  load();
}
