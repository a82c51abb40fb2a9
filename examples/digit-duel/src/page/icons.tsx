// The icons, in one line width.

const PATHS = {
  sun: "M12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.4M5.6 18.4 7 17M17 7l1.4-1.4M8 12a4 4 0 1 0 8 0a4 4 0 1 0-8 0",
  moon: "M20 14.5A8 8 0 0 1 9.5 4a8 8 0 1 0 10.5 10.5Z",
  sound: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5ZM15.5 9a4 4 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11",
  silent: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5ZM16 9.5l5 5M21 9.5l-5 5",
  clear: "M5 7h14M10 7V5h4v2M7 7l1 12h8l1-12",
  skip: "M6 6l8 6-8 6ZM18 6v12",
  check: "M5 12.5 10 17.5 19.5 7",
  cross: "M6 6l12 12M18 6 6 18",
  scissors: "M4.5 6.5a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0M4.5 17.5a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0M9 8.5 20 17M9 15.5 20 7",
  plug: "M9 3v5M15 3v5M6.5 8h11v3a5.5 5.5 0 0 1-11 0ZM12 16.5V21",
  device: "M8 3h8a1.5 1.5 0 0 1 1.5 1.5v15A1.5 1.5 0 0 1 16 21H8a1.5 1.5 0 0 1-1.5-1.5v-15A1.5 1.5 0 0 1 8 3ZM11 18h2",
  server: "M4.5 4.5h15v6h-15ZM4.5 13.5h15v6h-15ZM8 7.5h.01M8 16.5h.01",
  crown: "M4 17.5 3 7.5l5 3.5 4-6 4 6 5-3.5-1 10Z",
} as const;

export type Icon = keyof typeof PATHS;

export function Icon({ name }: { name: Icon }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
