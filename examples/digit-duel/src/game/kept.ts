// What stays when the page is closed: the best score, choices, corrections not yet taught. A browser
// that forbids storage only forgets.

const PREFIX = "numen.duel.";

export function recall<T>(name: string, otherwise: T, fits: (value: unknown) => value is T): T {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(PREFIX + name) ?? "null");
    return fits(value) ? value : otherwise;
  } catch {
    return otherwise;
  }
}

export function keep(name: string, value: unknown): void {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // It then lasts until the page is closed.
  }
}

export const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
export const isBoolean = (value: unknown): value is boolean => typeof value === "boolean";

/** Whether it is one of a few words. */
export function oneOfThese<T extends string>(words: readonly T[]): (value: unknown) => value is T {
  return (value): value is T => words.includes(value as T);
}
