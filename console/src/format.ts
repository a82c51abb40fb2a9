// How figures are written: a thin space before the unit, few digits, the same width while they change.

const THIN = "\u202f";
const DIGITS = "-0123456789";
const RAISED = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹";

/** 0.9785 → "98 %", or "97.9 %" with one decimal. */
export function percent(share: number, decimals = 0): string {
  return `${(share * 100).toFixed(decimals)}${THIN}%`;
}

/** 4.23 → "4.2 ms", 132.7 → "133 ms". */
export function milliseconds(ms: number): string {
  return `${ms < 100 ? ms.toFixed(1) : Math.round(ms)}${THIN}ms`;
}

/** 407000 → "407 kB". */
export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const step = Math.min(Math.floor(Math.log10(Math.max(count, 1)) / 3), units.length - 1);
  return `${+(count / 1000 ** step).toPrecision(3)}${THIN}${units[step]}`;
}

/** Any number: 0.00000012 → "1.2 × 10⁻⁷", 3.14159 → "3.142". */
export function quantity(value: number): string {
  const size = Math.abs(value);
  if (value === 0 || (size >= 1e-3 && size < 1e7)) {
    return value.toLocaleString("en", { maximumSignificantDigits: size >= 1000 ? 7 : 4 });
  }
  const [digits, power] = value.toExponential(1).split("e") as [string, string];
  const raised = [...power.replace("+", "")].map((sign) => RAISED[DIGITS.indexOf(sign)]).join("");
  return `${digits} × 10${raised}`;
}

/** A metric as people say it: shares as percent, all others as they are. */
export function metric(name: string, value: number): string {
  const share = /accuracy|precision|recall|f1|auc/.test(name) && value >= 0 && value <= 1;
  return share ? `${+(value * 100).toFixed(2)}${THIN}%` : quantity(value);
}
