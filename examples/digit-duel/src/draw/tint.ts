// Colours of what speaks against an answer and for it: from blue over nothing to orange, in equal
// steps of lightness and chroma in OKLab (Ottosson 2020), which most colour-blind people tell apart
// too. The same as numen's console has.

export type Ground = "light" | "dark";
export type Colour = [red: number, green: number, blue: number];

const HUES = { against: (255 / 180) * Math.PI, for: (55 / 180) * Math.PI };
const CHROMA = 0.16;
const LIGHTNESS = { light: { nothing: 0.97, all: -0.42 }, dark: { nothing: 0.22, all: 0.42 } };
const EDGE = 0.99; // the part of all sizes that stays below the full colour: one spot shall not pale all

/** Values as parts of the largest but for outliers, from -1 to 1. */
export function shares(values: ArrayLike<number>): number[] {
  const given = Array.from(values);
  const sizes = given.map(Math.abs).sort((a, b) => a - b);
  const most = sizes[Math.floor((sizes.length - 1) * EDGE)] || sizes.at(-1) || 0;
  return given.map((value) => (most ? Math.max(-1, Math.min(1, value / most)) : 0));
}

/** The colour of a share from -1 to 1, each part from 0 to 255. */
export function colour(share: number, ground: Ground): Colour {
  const size = Math.min(Math.abs(share), 1);
  const hue = share < 0 ? HUES.against : HUES.for;
  const { nothing, all } = LIGHTNESS[ground];
  const light = nothing + all * size;
  const [a, b] = [CHROMA * size * Math.cos(hue), CHROMA * size * Math.sin(hue)];
  const l = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (light - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    curved(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    curved(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    curved(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

/** Linear light as a byte of sRGB. */
function curved(linear: number): number {
  const within = Math.max(0, Math.min(1, linear));
  return Math.round(255 * (within <= 0.0031308 ? 12.92 * within : 1.055 * within ** (1 / 2.4) - 0.055));
}
