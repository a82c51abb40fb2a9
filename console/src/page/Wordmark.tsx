// The word "numen" drawn in one line width, so that it looks the same without any font;
// the bar of the e is lit.

const LETTERS = [
  "M3 21V9M3 14.5a5.5 5.5 0 0 1 11 0V21",
  "M21 9v6.5a5.5 5.5 0 0 0 11 0V9M32 9v12",
  "M39 21V9M39 14a5 5 0 0 1 10 0v7M49 14a5 5 0 0 1 10 0v7",
  "M77 15a6 6 0 1 0-1.9 4.38",
  "M84 21V9M84 14.5a5.5 5.5 0 0 1 11 0V21",
];

export function Wordmark() {
  return (
    <svg class="wordmark" viewBox="1 5 96 20" role="img" aria-label="numen">
      {LETTERS.map((path) => (
        <path key={path} d={path} />
      ))}
      <path class="light" d="M66 15h11" />
    </svg>
  );
}
