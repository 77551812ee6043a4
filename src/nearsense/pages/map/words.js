// Elements, numbers and texts as people read them. Texts only ever become text nodes.

// An element: make('p', {class: 'lead', onclick: f}, 'text', another).
function make(kind, attributes = {}, ...inside) {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, '');
    else if (value !== false && value !== null) made.setAttribute(name, value);
  }
  made.append(...inside.filter((part) => part !== null && part !== undefined));
  return made;
}

// Characters that would steer the reader's eye, or that nothing can show, become a visible mark.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g;
function printable(text) {
  const whole = text.toWellFormed ? text.toWellFormed() : text;
  return whole.replace(UNSEEN, '\ufffd');
}

function shortened(text, length) {
  const plain = printable(text.slice(0, length + 1));
  return text.length > length ? `${plain.slice(0, length).trimEnd()}…` : plain;
}

// A text as it is shown whole, and what is missing of it.
function textOf(row) {
  const text = printable(texts().texts[row]);
  const long = texts().long[row];
  return long ? `${text}… (the first ${number(facts.cut)} of ${number(long)} characters)` : text;
}

const number = (value) => value.toLocaleString('en');
const plural = (value, one, many) => `${number(value)} ${value === 1 ? one : many}`;
const shownScore = (score) => score.toFixed(2);
const percent = (value) =>
  value === null ? 'uncalibrated' : value > 0.995 ? '> 99 %' : value < 0.005 ? '< 1 %' : `${Math.round(100 * value)} %`;

let spoken = 0;
function say(words) {
  byId('live').textContent = words + (spoken++ % 2 ? '\u00a0' : ''); // said again when it is the same again
}

// Hand a file to the reader; nothing leaves the machine.
function download(name, kind, content) {
  const address = URL.createObjectURL(new Blob([content], {type: kind}));
  const link = make('a', {href: address, download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

const asCells = (values) =>
  values.map((value) => (/[",\r\n]/.test(`${value}`) ? `"${`${value}`.replaceAll('"', '""')}"` : `${value}`)).join(',');

function downloadRecords(stem, kind, records) {
  if (kind === 'csv') {
    const columns = Object.keys(records[0] || {});
    const lines = [columns, ...records.map((record) => columns.map((name) => record[name]))].map(asCells);
    download(`${stem}.csv`, 'text/csv', `${lines.join('\r\n')}\r\n`);
  } else {
    download(`${stem}.jsonl`, 'application/jsonl', records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  }
}
