// What the page holds: a little at once, the rest when it is first asked for.

const byId = (id) => document.getElementById(id);
const facts = JSON.parse(byId('facts').textContent);

function buffer(id) {
  const written = byId(id).textContent;
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(written).buffer;
  const letters = atob(written);
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at += 1) bytes[at] = letters.charCodeAt(at);
  return bytes.buffer;
}

function lazily(make) {
  let made = null;
  return () => (made === null ? (made = make()) : made);
}

const count = facts.texts;
const points = new Float32Array(buffer('points'));
const labels = new Int32Array(buffer('labels'));
const near = lazily(() => new Int32Array(buffer('near')));
const nearness = lazily(() => new Float32Array(buffer('nearness')));
const texts = lazily(() => JSON.parse(byId('texts').textContent));
const ids = lazily(() => JSON.parse(byId('ids').textContent));
const lowered = lazily(() => texts().texts.map((text) => text.toLowerCase()));

const NOISE = facts.names.length; // texts in no cluster stand behind the last one
const clusterOf = (row) => (labels[row] < 0 ? NOISE : labels[row]);
const nameOf = (cluster) => (cluster === NOISE ? 'in no cluster' : facts.names[cluster]);
const clusterOrNothing = (row) => (labels[row] < 0 ? '' : facts.names[labels[row]]);

const sizes = new Int32Array(NOISE + 1);
for (let row = 0; row < count; row += 1) sizes[clusterOf(row)] += 1;
const bySize = Array.from(sizes.keys())
  .filter((cluster) => sizes[cluster] > 0)
  .sort((a, b) => (a === NOISE) - (b === NOISE) || sizes[b] - sizes[a] || a - b);

// The probability that two texts of this score mean the same; null where nothing tells.
function probability(score) {
  const curve = facts.curve;
  if (curve === null) return null;
  let low = 0;
  let high = curve.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (curve[middle][0] <= score) low = middle;
    else high = middle;
  }
  const [[x0, y0], [x1, y1]] = [curve[low], curve[high]];
  const part = x1 > x0 ? Math.min(1, Math.max(0, (score - x0) / (x1 - x0))) : 0;
  return y0 + part * (y1 - y0);
}
