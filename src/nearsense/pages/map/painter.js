// Points as pixels. A disc is laid out once and then copied for each point: 100,000 take some milliseconds.

const HIDDEN = 0;
const FAINT = 1;
const PLAIN = 2;
const state = new Uint8Array(count).fill(PLAIN); // of each text

const painter = (() => {
  const canvas = byId('map');
  const context = canvas.getContext('2d', {alpha: false});
  const EDGE = 24; // pixels around the picture that may be written and are not seen
  let [wide, high, ratio] = [1, 1, 1];
  let image = null;
  let pixels = null;

  const order = (() => { // texts in no cluster lie below
    const rows = new Int32Array(count);
    let at = 0;
    for (let row = 0; row < count; row += 1) if (labels[row] < 0) rows[at++] = row;
    for (let row = 0; row < count; row += 1) if (labels[row] >= 0) rows[at++] = row;
    return rows;
  })();

  function resize(width, height) {
    ratio = Math.min(window.devicePixelRatio || 1, 3);
    [wide, high] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
    [canvas.width, canvas.height] = [wide, high];
    image = context.createImageData(wide + 2 * EDGE, high + 2 * EDGE);
    pixels = new Uint32Array(image.data.buffer);
  }

  // Radius in CSS pixels: fewer texts and nearer eyes make larger points.
  function radius() {
    const nearer = Math.pow(Math.max(1, eye.scale / eye.home), 0.42);
    return Math.min(9, Math.max(1.05, Math.min(6, (20 * nearer) / Math.pow(Math.max(count, 1), 0.25))));
  }

  // Offsets of a disc's pixels, with how much of each it covers, 0 to 256; and of the gap around it.
  function disc(size) {
    const reach = Math.ceil(size + 1);
    const found = {offsets: [], cover: [], rim: []};
    const gap = size >= 3 * ratio ? ratio : 0;
    for (let y = -reach; y <= reach; y += 1) {
      for (let x = -reach; x <= reach; x += 1) {
        const distance = Math.hypot(x, y);
        const inner = Math.min(1, Math.max(0, size + 0.5 - distance));
        const outer = Math.min(1, Math.max(0, size + gap + 0.5 - distance));
        if (outer > 0.02) {
          found.offsets.push(y * (wide + 2 * EDGE) + x);
          found.cover.push(Math.round(256 * inner));
          found.rim.push(Math.round(256 * outer));
        }
      }
    }
    return {offsets: Int32Array.from(found.offsets), cover: found.cover, rim: found.rim, gap};
  }

  function mixed(below, above, share) {
    const rest = 256 - share;
    const redBlue = ((above & 0xff00ff) * share + (below & 0xff00ff) * rest) >>> 8;
    const green = ((above & 0x00ff00) * share + (below & 0x00ff00) * rest) >>> 8;
    return (0xff000000 | (redBlue & 0xff00ff) | (green & 0x00ff00)) >>> 0;
  }

  const packed = ([red, green, blue]) => (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;

  function pass(which, stamp, colours, opacity, paper) {
    const {offsets, cover, rim, gap} = stamp;
    const row_ = wide + 2 * EDGE;
    const [scale, left, top] = [eye.scale * ratio, wide / 2 - eye.x * eye.scale * ratio, high / 2 + eye.y * eye.scale * ratio];
    for (let at = 0; at < count; at += 1) {
      const row = order[at];
      if (state[row] !== which) continue;
      const x = Math.round(points[2 * row] * scale + left);
      const y = Math.round(top - points[2 * row + 1] * scale);
      if (x < -EDGE / 2 || y < -EDGE / 2 || x >= wide + EDGE / 2 || y >= high + EDGE / 2) continue;
      const middle = (y + EDGE) * row_ + x + EDGE;
      const colour = colours[labels[row] < 0 ? NOISE : labels[row]];
      for (let part = 0; part < offsets.length; part += 1) {
        const place = middle + offsets[part];
        if (gap && rim[part] > cover[part]) pixels[place] = mixed(pixels[place], paper, rim[part] - cover[part]);
        const share = (cover[part] * opacity) >> 8;
        if (share) pixels[place] = mixed(pixels[place], colour, share);
      }
    }
  }

  function paint(look) {
    const paper = packed(look.paper);
    pixels.fill(paper);
    const stamp = disc(Math.min(radius() * ratio, EDGE / 2 - 3 * ratio));
    const shades = [...facts.colours, look.palette.length - 1].map((colour) => look.palette[colour]);
    const colours = Uint32Array.from(shades.map(packed));
    const faint = Uint32Array.from(shades.map((each) => mixed(paper, packed(each), 64)));
    const opacity = count > 30000 ? 185 : 230;
    pass(FAINT, stamp, faint, opacity, paper);
    pass(PLAIN, stamp, colours, opacity, paper);
    context.putImageData(image, -EDGE, -EDGE);
  }

  return {paint, resize, radius};
})();
