// A toy that tells digits apart: how alike the picture is to ten glyphs of five by seven dots.

const GLYPHS = [
  "01110 10001 10001 10001 10001 10001 01110",
  "00100 00100 00100 00100 00100 00100 00100",
  "01110 10001 00001 00110 01000 10000 11111",
  "11110 00001 00001 01110 00001 00001 11110",
  "10010 10010 10010 11111 00010 00010 00010",
  "11111 10000 11110 00001 00001 10001 01110",
  "00110 01000 10000 11110 10001 10001 01110",
  "11111 00001 00001 00010 00010 00100 00100",
  "01110 10001 10001 01110 10001 10001 01110",
  "01110 10001 10001 01111 00001 00010 01100",
].map((rows) => [...rows.replaceAll(" ", "")].map(Number));

/** Ten probabilities for a picture of 28 by 28. */
export function compare(pixels) {
  const rows = Array.from({ length: 28 }, (_, y) => pixels.slice(y * 28, (y + 1) * 28));
  const inked = rows.filter((row) => row.some((value) => value > 60));
  const dots = Array.from({ length: 35 }, (_, at) => dot(inked, at % 5, Math.floor(at / 5)));
  const likeness = GLYPHS.map((glyph) => Math.exp(22 * cosine(dots, glyph)));
  const sum = likeness.reduce((a, b) => a + b);
  return likeness.map((value) => value / sum);
}

function dot(rows, column, row) {
  const high = rows.slice(Math.floor((row * rows.length) / 7), Math.ceil(((row + 1) * rows.length) / 7));
  const wide = high.flatMap((values) => values.slice(6 + Math.floor(column * 3.2), 6 + Math.ceil((column + 1) * 3.2)));
  return wide.reduce((a, b) => a + b, 0) / (wide.length || 1);
}

function cosine(a, b) {
  const product = (p, q) => p.reduce((sum, value, at) => sum + value * q[at], 0);
  return product(a, b) / (Math.sqrt(product(a, a) * product(b, b)) || 1);
}
