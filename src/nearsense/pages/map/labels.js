// Names of clusters on the map. A name is set where it covers no other: the largest clusters choose first.

const names = (() => {
  const LONGEST = 34; // characters
  const HIGH = 17; // pixels of a line
  const AIR = count > 5000 ? [20, 11] : [14, 5]; // pixels between names: more where more lies between them
  const FONT = '600 13px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';
  const written = facts.names.map((name) => shortened(name.replace(/\s+/g, ' '), LONGEST));
  const widths = [];
  const FEW = 5000; // texts up to which a name stands beside its points instead of on them
  const beside = [[0, -1.1], [0, 1.1], [0.65, 0], [-0.65, 0], [0, -2.1], [0, 2.1], [0, 0]]; // widths and lines from the anchor
  const upon = [[0, 0], [0, -1], [0, 1], [0.62, 0], [-0.62, 0], [0, -2], [0, 2]];
  const ways = count <= FEW ? beside : upon;

  const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

  // The boxes of names for this eye: [{cluster, left, top, right, bottom, x, y}], none meets another or a taken one.
  function place(context, isShown, taken) {
    context.font = FONT;
    const placed = [];
    for (const cluster of bySize) {
      if (cluster === NOISE || !isShown(cluster) || !written[cluster]) continue;
      const [x, y] = [screenX(facts.anchors[cluster][0]), screenY(facts.anchors[cluster][1])];
      if (x < 0 || y < 0 || x > eye.width || y > eye.height) continue;
      widths[cluster] = widths[cluster] || context.measureText(written[cluster]).width;
      const box = boxes(x, y, widths[cluster]).find(
        (each) =>
          each.left >= 4 && each.right <= eye.width - 4 && each.top >= 4 && each.bottom <= eye.height - 4 &&
          !placed.some((other) => meet(each, other)) && !taken.some((other) => meet(each, other)),
      );
      if (box) placed.push({cluster, ...box});
    }
    return placed;
  }

  function boxes(x, y, width) {
    return ways.map(([sideways, lines]) => {
      const [cx, cy] = [x + sideways * width, y + lines * HIGH];
      return {x: cx, y: cy, left: cx - width / 2 - AIR[0] / 2, right: cx + width / 2 + AIR[0] / 2, top: cy - HIGH / 2 - AIR[1] / 2, bottom: cy + HIGH / 2 + AIR[1] / 2};
    });
  }

  function write(context, placed, look) {
    context.font = FONT;
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.lineJoin = 'round';
    for (const {cluster, x, y} of placed) {
      const [ink, colour] = [look.ink, look.palette[facts.colours[cluster]]];
      const shade = ink.map((part, at) => Math.round(0.62 * part + 0.38 * colour[at]));
      context.lineWidth = 4;
      context.strokeStyle = `rgb(${look.paper.join(' ')} / 0.88)`;
      context.strokeText(written[cluster], x, y);
      context.fillStyle = `rgb(${shade.join(' ')})`;
      context.fillText(written[cluster], x, y);
    }
  }

  return {place, write};
})();
