// The plane and the eye above it: where a point stands on the screen, and which point stands where.

const eye = {x: 0, y: 0, scale: 100, width: 1, height: 1, home: 100};

const screenX = (x) => (x - eye.x) * eye.scale + eye.width / 2;
const screenY = (y) => (eye.y - y) * eye.scale + eye.height / 2;
const planeX = (x) => (x - eye.width / 2) / eye.scale + eye.x;
const planeY = (y) => eye.y - (y - eye.height / 2) / eye.scale;

const bounds = (() => {
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let row = 0; row < count; row += 1) {
    left = Math.min(left, points[2 * row]);
    right = Math.max(right, points[2 * row]);
    low = Math.min(low, points[2 * row + 1]);
    high = Math.max(high, points[2 * row + 1]);
  }
  return {left, right, low, high};
})();

const MARGIN = {side: 64, top: 96, bottom: 44}; // pixels around all points, so that no name and no tool covers them

// The eye that sees all points.
function home() {
  const wide = Math.max(40, eye.width - 2 * MARGIN.side);
  const high = Math.max(40, eye.height - MARGIN.top - MARGIN.bottom);
  const scale = Math.min(wide / (bounds.right - bounds.left || 1e-3), high / (bounds.high - bounds.low || 1e-3), 1000);
  return {
    x: (bounds.left + bounds.right) / 2,
    y: (bounds.low + bounds.high) / 2 + (MARGIN.top - MARGIN.bottom) / 2 / scale,
    scale,
  };
}

function zoomAt(x, y, factor) {
  const [px, py] = [planeX(x), planeY(y)];
  eye.scale = Math.min(eye.home * 400, Math.max(eye.home / 4, eye.scale * factor));
  eye.x = px - (x - eye.width / 2) / eye.scale;
  eye.y = py + (y - eye.height / 2) / eye.scale;
}

// Points in cells of a grid, so that a few are looked at instead of all.
const grid = (() => {
  const side = Math.max(1, Math.min(512, Math.ceil(Math.sqrt(count / 3))));
  const cell = (value) => Math.min(side - 1, Math.max(0, Math.floor(((value + 1) / 2) * side)));
  const starts = new Int32Array(side * side + 1);
  const cells = new Int32Array(count);
  for (let row = 0; row < count; row += 1) {
    cells[row] = cell(points[2 * row + 1]) * side + cell(points[2 * row]);
    starts[cells[row] + 1] += 1;
  }
  for (let at = 0; at < side * side; at += 1) starts[at + 1] += starts[at];
  const rows = new Int32Array(count);
  const filled = starts.slice();
  for (let row = 0; row < count; row += 1) rows[filled[cells[row]]++] = row;
  return {side, cell, starts, rows};
})();

// Calls `visit` with each row in a rectangle of the plane, and some around it.
function inRectangle(left, low, right, high, visit) {
  const {side, cell, starts, rows} = grid;
  const [first, last] = [cell(left), cell(right)];
  for (let line = cell(low); line <= cell(high); line += 1) {
    for (let at = starts[line * side + first]; at < starts[line * side + last + 1]; at += 1) visit(rows[at]);
  }
}

// The row whose point is nearest to a place on the screen, within a radius; -1 where there is none.
function nearestOnScreen(x, y, radius, isShown) {
  const [px, py, reach] = [planeX(x), planeY(y), radius / eye.scale];
  let [found, best] = [-1, reach * reach];
  inRectangle(px - reach, py - reach, px + reach, py + reach, (row) => {
    const distance = (points[2 * row] - px) ** 2 + (points[2 * row + 1] - py) ** 2;
    if (distance <= best && isShown(row)) [found, best] = [row, distance];
  });
  return found;
}

// The rows inside a polygon on the screen: [[x, y], ...].
function inPolygon(corners, isShown) {
  const xs = corners.map(([x]) => planeX(x));
  const ys = corners.map(([, y]) => planeY(y));
  const found = [];
  inRectangle(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys), (row) => {
    const [x, y] = [points[2 * row], points[2 * row + 1]];
    let inside = false;
    for (let at = 0, before = xs.length - 1; at < xs.length; before = at, at += 1) {
      if (ys[at] > y !== ys[before] > y && x < ((xs[before] - xs[at]) * (y - ys[at])) / (ys[before] - ys[at]) + xs[at]) {
        inside = !inside;
      }
    }
    if (inside && isShown(row)) found.push(row);
  });
  return found.sort((a, b) => a - b);
}

const inView = (isShown) => {
  const corners = [[0, 0], [eye.width, 0], [eye.width, eye.height], [0, eye.height]];
  return inPolygon(corners, isShown);
};
