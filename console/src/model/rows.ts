// Rows of a table as people paste them: a header, then a row a line, with commas or tabs between.
// What is written in double quotes may hold either, a line's end too.

/** Values by the header's names. Rows without a value are left out. */
export function rowsOf(text: string): Record<string, string>[] {
  const [header = [], ...rows] = cells(text);
  return rows
    .filter((row) => row.some((value) => value))
    .map((row) => Object.fromEntries(header.map((name, place) => [name, row[place] ?? ""])));
}

function cells(text: string): string[][] {
  const mark = text.split("\n", 1)[0]!.includes("\t") ? "\t" : ",";
  const rows: string[][] = [[]];
  const part = new RegExp(` *(?:"((?:[^"]|"")*)"|([^${mark}\\n]*)) *(${mark}|\\r?\\n|$)`, "gy");
  for (const [whole, quoted, plain, end] of text.matchAll(part)) {
    if (!whole && !end) break;
    rows.at(-1)!.push(quoted === undefined ? plain!.trim() : quoted.replaceAll('""', '"'));
    if (end !== mark) rows.push([]);
  }
  return rows;
}
