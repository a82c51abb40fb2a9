// How a value of a named field becomes numbers, as numen.core.fields has it: numbers, categories,
// dates and words.
import type { Column } from "./bundle";
import { invalid } from "./errors";
import { crc } from "./png";

const MISSING = new Set(["", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "?"]);
const LARGEST = 3.4028234663852886e38;
const DAY = 86_400;
const MONTHS = [
  "january", "february", "march", "april", "may", "june",
  "july", "august", "september", "october", "november", "december",
];
const NUMBERS = /^(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})/;
const NAMED = /^(?:(?<d>\d{1,2})[-. ]{1,2})?(?<m>[A-Za-z]{3,9})\.?[-, ]{1,2}(?:(?<e>\d{1,2}),?[- ])?(?<y>\d{4})/;
const TIME =
  /^(?:[Tt]|,? )(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(?: ?([AaPp])[Mm])?(?: ?(?:(Z|z|UTC|GMT)|([+-])(\d{2}):?(\d{2})?))?$/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const WORD = /[\p{L}\p{N}_]+/gu;

export type Row = Record<string, unknown>;

export const isRow = (value: unknown): value is Row =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** How many numbers a column becomes. */
export const widthOf = (column: Column): number => (column.date ? 5 : column.words || 1);

/** One row of fields as its numbers, NaN where a value is missing. */
export function encoded(row: Row, columns: Column[], ignored: string[], whole: boolean): Float32Array {
  const flat = flatten(row);
  const known = new Set([...ignored, ...columns.map(({ name }) => name)]);
  for (const name of flat.keys()) {
    if (!known.has(name)) {
      const expected = columns.map((column) => column.name).sort().join(", ");
      throw invalid(`field "${name}" is unknown: expected ${expected}`, name);
    }
  }
  const made = new Float32Array(columns.reduce((sum, column) => sum + widthOf(column), 0)).fill(Number.NaN);
  let at = 0;
  for (const column of columns) {
    const numbers = numbersOf(column, flat.get(column.name));
    if (numbers) made.set(numbers, at);
    else if (column.words) made.fill(0, at, at + column.words);
    else if (whole) {
      const some = (column.categories ?? []).slice(0, 10).join(", ");
      throw invalid(`field "${column.name}": expected ${some ? `one of ${some}` : "a value"}, received ${JSON.stringify(flat.get(column.name)) ?? "none"}`, column.name, "the model was trained on rows without gaps");
    }
    at += widthOf(column);
  }
  return made;
}

function flatten(row: Row): Map<string, unknown> {
  const flat = new Map<string, unknown>();
  for (const [name, value] of Object.entries(row)) {
    if (isRow(value)) for (const [inner, each] of Object.entries(value)) flat.set(`${name}.${inner}`, each);
    else flat.set(name, value);
  }
  return flat;
}

/** The numbers a value becomes; null where it is missing. */
export function numbersOf(column: Column, value: unknown): number[] | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "string" && MISSING.has(value.trim())) return null;
  if (column.categories) {
    if (typeof value === "object") throw wrong(column, "a name", value);
    const place = column.categories.indexOf(category(value));
    return place < 0 ? null : [place];
  }
  if (column.words) {
    if (typeof value !== "string") throw wrong(column, "text", value);
    return wordCounts(value, column.words);
  }
  if (column.date) {
    const when = typeof value === "string" ? seconds(value, column.date) : stamp(value);
    if (when === null) throw wrong(column, "a date such as 2024-01-31 or 2024-01-31T12:00:00Z", value);
    return dateParts(when);
  }
  const number = numeric(value);
  if (number === null) throw wrong(column, "a finite number", value);
  return [number];
}

function category(value: unknown): string {
  if (typeof value === "string") return value.trim();
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return BigInt(value).toString();
  if (Math.abs(value) >= 1e-4) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2"); // as Python writes it
}

function wordCounts(text: string, buckets: number): number[] {
  const counts = new Array<number>(buckets).fill(0);
  for (const word of text.toLowerCase().match(WORD) ?? []) counts[crc(new TextEncoder().encode(word)) % buckets]!++;
  return counts.map((count) => Math.log1p(count));
}

/** Days since 1970, month, day of the month, weekday (Monday is 0), hour with its fraction. */
function dateParts(when: number): number[] {
  const days = Math.floor(when / DAY);
  const day = new Date(days * DAY * 1000);
  return [days, day.getUTCMonth() + 1, day.getUTCDate(), (day.getUTCDay() + 6) % 7, (when - days * DAY) / 3600];
}

function stamp(value: unknown): number | null {
  if (typeof value !== "number") return null;
  const when = Math.abs(value) > 1e11 ? value / 1000 : value;
  return when > -6e10 && when < 2.5e11 ? when : null;
}

/** Seconds since 1970 of a written date; null where it is none. */
function seconds(written: string, order: string): number | null {
  const text = written.trim();
  const numbers = NUMBERS.exec(text);
  const named = numbers ? null : NAMED.exec(text);
  const days = numbers ? byNumbers(numbers, order) : named ? byName(named) : null;
  if (days === null) return null;
  const rest = text.slice((numbers ?? named)![0].length);
  const time = rest ? timeOf(rest) : 0;
  return time === null ? null : days * DAY + time;
}

function byNumbers([, first, mark, second, third]: RegExpExecArray, order: string): number | null {
  if (first!.length === 4) return dayOf(Number(first), Number(second), Number(third));
  if (order === "ymd" || first!.length > 2 || ![2, 4].includes(third!.length)) return null;
  const [day, month] = order === "dmy" ? [first, second] : [second, first];
  let year = Number(third);
  if (third!.length === 2) {
    if (mark !== "/") return null;
    year += year > 68 ? 1900 : 2000;
  }
  return dayOf(year, Number(month), Number(day));
}

function byName({ groups }: RegExpExecArray): number | null {
  const { d, m, e, y } = groups as Record<string, string | undefined>;
  const month = MONTHS.findIndex((name) => name === m!.toLowerCase() || name.slice(0, 3) === m!.toLowerCase());
  if (month < 0 || (d && e)) return null;
  return dayOf(Number(y), month + 1, Number(d ?? e ?? 1));
}

function dayOf(year: number, month: number, day: number): number | null {
  const made = new Date(0);
  made.setUTCFullYear(year, month - 1, day);
  const same = made.getUTCFullYear() === year && made.getUTCMonth() === month - 1 && made.getUTCDate() === day;
  return year >= 1 && same ? Math.round(made.getTime() / (DAY * 1000)) : null;
}

function timeOf(text: string): number | null {
  const found = TIME.exec(text);
  if (!found) return null;
  const [, hour, minute, second, part, half, , sign, zoneHour, zoneMinute] = found;
  let hours = Number(hour);
  if (half) {
    if (hours < 1 || hours > 12) return null;
    hours = (hours % 12) + ("pP".includes(half) ? 12 : 0);
  }
  if (hours > 23 || Number(minute) > 59 || Number(second ?? 0) > 60) return null;
  const time = hours * 3600 + Number(minute) * 60 + Number(second ?? 0) + Number(`0.${part ?? 0}`);
  const away = Number(zoneHour ?? 0) * 3600 + Number(zoneMinute ?? 0) * 60;
  return time - (sign === "+" ? away : -away);
}

function numeric(value: unknown): number | null {
  let number: number;
  if (typeof value === "string") {
    const said = value.trim().toLowerCase();
    if (said === "true" || said === "false") return Number(said === "true");
    if (!NUMBER.test(said)) return null;
    number = Number(said);
  } else if (typeof value === "boolean" || typeof value === "number") number = Number(value);
  else return null;
  return Number.isFinite(number) && Math.abs(number) <= LARGEST ? number : null;
}

function wrong(column: Column, expected: string, value: unknown) {
  const shown = typeof value === "object" ? "an object" : (JSON.stringify(value) ?? typeof value);
  return invalid(`field "${column.name}": expected ${expected}, received ${shown.slice(0, 80)}`, column.name);
}
