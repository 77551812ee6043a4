// The map of a collection: drawn by the server as a job, looked at in a frame of its own (nearsense map's page).

import * as api from './api.js';
import {button, heading, make, note, number, plural, progressBar, troubled} from './parts.js';
import {chosen, noCollection, picker} from './main.js';

export const title = 'Map';

export function open(host, app) {
  const own = chosen(app);
  if (!own) {
    host.replaceChildren(heading(title), noCollection());
    return;
  }
  const stage = make('section', {id: 'stage', class: 'stack', 'aria-label': 'Map'});
  host.replaceChildren(heading(title, 'Texts that mean alike lie near each other, in clusters with names.', make('div', {class: 'row tight'}, picker(app, own))), stage);
  const invite = () => stage.replaceChildren(own.documents < 3
    ? note('empty', 'Too few texts for a map', `“${own.name}” holds ${plural(own.documents, 'text', 'texts')}.`, make('a', {class: 'button', href: `#/documents?collection=${encodeURIComponent(own.name)}`}, 'Add documents'))
    : note('empty', `${number(own.documents)} texts, not drawn yet`, own.documents > 20000 ? 'So many take some minutes.' : 'It takes some seconds.', button('Draw the map', draw, {class: 'main', id: 'draw'})));

  async function draw() {
    stage.replaceChildren(make('div', {class: 'note', 'data-state': 'loading', role: 'status'}, make('h2', {}, 'Drawing the map')));
    try {
      const found = await api.drawMap(own.name, app.life, (job) => stage.replaceChildren(make('div', {class: 'note', 'data-state': 'loading', role: 'status'}, make('h2', {}, 'Drawing the map'), make('p', {}, 'You can go on elsewhere; it is kept for a while.'), progressBar(job))));
      show(found.address);
    } catch (error) {
      if (error.name !== 'AbortError' && !app.life.aborted) stage.replaceChildren(troubled(error, draw, app.life));
    }
  }

  function show(address) {
    const frame = make('iframe', {class: 'frame', src: address, title: `Map of ${own.name}`, sandbox: 'allow-scripts allow-forms allow-downloads', referrerpolicy: 'no-referrer'});
    stage.replaceChildren(frame, make('div', {class: 'row'}, make('a', {class: 'button', href: address, target: '_blank', rel: 'noopener'}, 'Open it alone'), button('Draw it again', draw, {class: 'plain'})));
  }

  api.knownMap(own.name, app.life).then((found) => (found.address ? show(found.address) : invite())).catch((error) => {
    if (error.name !== 'AbortError' && !app.life.aborted) stage.replaceChildren(troubled(error, app.reopen, app.life));
  });
}
