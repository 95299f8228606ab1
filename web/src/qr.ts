// A text as a QR code (ISO/IEC 18004): its bytes, with error correction M, in versions 1 to 20.

// What each version has of error correction in each of its blocks, and how many of these.
const corrections = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26];
const blockCounts = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16];

// codewords is how many bytes a version has room for, with those of error correction.
function codewords(version: number): number {
  let modules = (16 * version + 128) * version + 64;
  const n = Math.floor(version / 7) + 2;
  if (version > 1) modules -= (25 * n - 10) * n - 55;
  if (version > 6) modules -= 36;
  return modules >> 3;
}

// times multiplies in the field of 256 elements.
function times(a: number, b: number): number {
  let product = 0;
  for (let i = 7; i >= 0; i--) product = (product << 1) ^ ((product >> 7) * 0x11d) ^ (((b >> i) & 1) * a);
  return product;
}

// correct returns the Reed-Solomon code of a block, which has n bytes.
function correct(block: number[], n: number): number[] {
  const divisor = [...Array<number>(n - 1).fill(0), 1];
  for (let i = 0, root = 1; i < n; i++, root = times(root, 2)) {
    for (let j = 0; j < n; j++) divisor[j] = times(divisor[j]!, root) ^ (divisor[j + 1] ?? 0);
  }
  const rest = Array<number>(n).fill(0);
  for (const byte of block) {
    const factor = byte ^ rest.shift()!;
    rest.push(0);
    divisor.forEach((d, i) => (rest[i]! ^= times(d, factor)));
  }
  return rest;
}

// remainder is that of a value by a polynomial of some degree.
function remainder(value: number, polynomial: number, degree: number): number {
  let rest = value;
  for (let i = 0; i < degree; i++) rest = (rest << 1) ^ ((rest >> (degree - 1)) * polynomial);
  return rest;
}

// encoded are the bytes of a version, as they are drawn.
function encoded(text: Uint8Array, version: number): number[] {
  const [all, count, n] = [codewords(version), blockCounts[version - 1]!, corrections[version - 1]!];
  const size = all - count * n;
  let bits = "0100" + text.length.toString(2).padStart(version < 10 ? 8 : 16, "0");
  for (const byte of text) bits += byte.toString(2).padStart(8, "0");
  bits += "0000".slice(0, size * 8 - bits.length);
  const data = (bits.match(/.{1,8}/g) ?? []).map((byte) => parseInt(byte.padEnd(8, "0"), 2));
  for (let pad = 0xec; data.length < size; pad ^= 0xec ^ 0x11) data.push(pad);
  const blocks: number[][] = [];
  for (let i = 0, at = 0; i < count; i++) {
    const length = Math.floor(all / count) - n + (i < count - (all % count) ? 0 : 1); // the longer ones are the last
    blocks.push(data.slice(at, (at += length)));
  }
  const codes = blocks.map((block) => correct(block, n));
  const woven = (some: number[][]) => some.at(-1)!.flatMap((_, i) => some.flatMap((one) => one[i] ?? []));
  return [...woven(blocks), ...woven(codes)];
}

const masks: ((x: number, y: number) => number)[] = [
  (x, y) => (x + y) % 2,
  (_, y) => y % 2,
  (x) => x % 3,
  (x, y) => (x + y) % 3,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2,
  (x, y) => ((x * y) % 2) + ((x * y) % 3),
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2,
];

// penalty is how hard a code is to read: long runs, squares, what looks like a corner, and
// much more of dark than of light or the other way.
function penalty(rows: boolean[][]): number {
  const lines = rows.flatMap((row, y) => [row, rows.map((r) => r[y]!)]).map((line) => line.map(Number).join(""));
  let points = 0;
  for (const line of lines) {
    for (const [run] of line.matchAll(/0{5,}|1{5,}/g)) points += run.length - 2;
    points += 40 * [...line.matchAll(/(?=10111010000|00001011101)/g)].length;
  }
  rows.forEach((row, y) => row.forEach((dark, x) => (points += dark === row[x + 1] && dark === rows[y + 1]?.[x] && dark === rows[y + 1]?.[x + 1] ? 3 : 0)));
  const dark = rows.flat().filter(Boolean).length / rows.length ** 2;
  return points + 10 * Math.floor(Math.abs(dark - 0.5) * 20);
}

// qr returns the rows of a code, which are true where it is dark and need a light margin of
// four around them; undefined where the text is too long for it.
export function qr(text: string): boolean[][] | undefined {
  const bytes = new TextEncoder().encode(text);
  const version = 1 + blockCounts.findIndex((count, i) => bytes.length + (i < 9 ? 2 : 3) <= codewords(i + 1) - count * corrections[i]!);
  if (version === 0) return undefined;
  const size = 17 + 4 * version;
  const rows = Array.from({ length: size }, () => Array<boolean>(size).fill(false));
  const fixed = rows.map((row) => [...row]);
  const set = (x: number, y: number, dark: boolean) => {
    if (rows[y]?.[x] === undefined) return; // beyond the edge
    rows[y]![x] = dark;
    fixed[y]![x] = true;
  };
  const square = (cx: number, cy: number, radius: number) => {
    for (let y = -radius; y <= radius; y++) for (let x = -radius; x <= radius; x++) {
      const ring = Math.max(Math.abs(x), Math.abs(y));
      set(cx + x, cy + y, ring !== 2 && ring !== 4);
    }
  };
  const align = (cx: number, cy: number) => {
    for (let y = -2; y <= 2; y++) for (let x = -2; x <= 2; x++) set(cx + x, cy + y, Math.max(Math.abs(x), Math.abs(y)) !== 1);
  };
  const format = (mask: number) => {
    const bits = ((mask << 10) | remainder(mask, 0x537, 10)) ^ 0x5412;
    for (let i = 0; i < 15; i++) {
      const dark = ((bits >> i) & 1) === 1;
      if (i < 8) set(8, i < 6 ? i : i + 1, dark);
      else set(i === 8 ? 7 : 14 - i, 8, dark);
      if (i < 8) set(size - 1 - i, 8, dark);
      else set(8, size - 15 + i, dark);
    }
    set(8, size - 8, true);
  };
  for (let i = 0; i < size; i++) {
    set(6, i, i % 2 === 0);
    set(i, 6, i % 2 === 0);
  }
  for (const [x, y] of [[3, 3], [size - 4, 3], [3, size - 4]] as const) square(x, y, 4);
  const places = [6];
  const between = Math.floor(version / 7) + 1;
  for (let i = 0, step = Math.ceil((version * 4 + 4) / (2 * between)) * 2; version > 1 && i < between; i++) places.splice(1, 0, size - 7 - i * step);
  for (const y of places) for (const x of places) if (!(x === 6 && (y === 6 || y === size - 7)) && !(y === 6 && x === size - 7)) align(x, y);
  for (let i = 0; version > 6 && i < 18; i++) {
    const dark = ((((version << 12) | remainder(version, 0x1f25, 12)) >> i) & 1) === 1;
    set(size - 11 + (i % 3), Math.floor(i / 3), dark);
    set(Math.floor(i / 3), size - 11 + (i % 3), dark);
  }
  format(0); // its place, until it is known which mask it says

  // From the right, in columns of two, up and down.
  const data = encoded(bytes, version);
  for (let right = size - 1, up = true, at = 0; right > 0; right -= right === 8 ? 3 : 2, up = !up) {
    for (let i = 0; i < size; i++) for (const x of [right, right - 1]) {
      const y = up ? size - 1 - i : i;
      if (fixed[y]![x]) continue;
      rows[y]![x] = (((data[at >> 3] ?? 0) >> (7 - (at & 7))) & 1) === 1;
      at++;
    }
  }
  const masked = masks.map((mask, i) => {
    format(i);
    return rows.map((row, y) => row.map((dark, x) => dark !== (!fixed[y]![x] && mask(x, y) === 0)));
  });
  const points = masked.map(penalty);
  return masked[points.indexOf(Math.min(...points))];
}
