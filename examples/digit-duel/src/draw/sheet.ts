// The paper under the pen: smooth strokes on a transparent canvas, so that ink is what is opaque,
// whatever colour the theme gives it. It remembers the strokes, in parts of its side.

export const SIDE = 560;

/** The pen's width, as part of the side. */
export const PENS = { thin: 0.045, medium: 0.075, thick: 0.115 } as const;
export type Pen = keyof typeof PENS;

export interface Point {
  x: number;
  y: number;
}

/** Its points, from 0 to 1, and the pen it was drawn with. */
export interface Stroke {
  pen: Pen;
  points: Point[];
}

/** Ink as one byte a pixel: 0 is paper, 255 is full ink. */
export interface Plane {
  width: number;
  height: number;
  data: Uint8ClampedArray<ArrayBuffer>;
}

export class Sheet {
  pen: Pen = "medium";
  private readonly canvas: HTMLCanvasElement;
  private readonly ink: CanvasRenderingContext2D;
  private drawn: Stroke[] = [];
  private last: Point | null = null;
  private middle: Point | null = null;

  constructor(canvas: HTMLCanvasElement) {
    this.canvas = canvas;
    this.ink = canvas.getContext("2d", { willReadFrequently: true })!;
    this.ink.lineCap = "round";
    this.ink.lineJoin = "round";
    this.recolour();
  }

  get drawing(): boolean {
    return this.last !== null;
  }

  get empty(): boolean {
    return this.drawn.length === 0;
  }

  get strokes(): readonly Stroke[] {
    return this.drawn;
  }

  down(at: Point): void {
    const width = PENS[this.pen] * SIDE;
    this.ink.lineWidth = width;
    this.ink.beginPath();
    this.ink.arc(at.x, at.y, width / 2, 0, 2 * Math.PI);
    this.ink.fill();
    this.drawn.push({ pen: this.pen, points: [part(at)] });
    this.last = this.middle = at;
  }

  /** Draws to the middle of the way, bending at the point before: corners become curves. */
  move(to: Point): void {
    if (!this.last || !this.middle) return;
    const middle = { x: (this.last.x + to.x) / 2, y: (this.last.y + to.y) / 2 };
    this.line(this.middle, this.last, middle);
    this.drawn.at(-1)!.points.push(part(to));
    this.last = to;
    this.middle = middle;
  }

  up(): void {
    if (this.last && this.middle) this.line(this.middle, this.last, this.last);
    this.last = this.middle = null;
  }

  clear(): void {
    this.last = this.middle = null;
    this.drawn = [];
    this.ink.clearRect(0, 0, SIDE, SIDE);
  }

  /** Empties the sheet, what was drawn fading away as the page's style has it. */
  leave(): void {
    const ghost = this.canvas.cloneNode() as HTMLCanvasElement;
    ghost.className = "ghost";
    ghost.removeAttribute("data-testid");
    ghost.ariaHidden = "true";
    ghost.getContext("2d")!.drawImage(this.canvas, 0, 0);
    ghost.addEventListener("animationend", () => ghost.remove());
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) this.canvas.after(ghost);
    this.clear();
  }

  /** Takes the canvas's CSS colour, also for what is already drawn. */
  recolour(): void {
    this.ink.strokeStyle = this.ink.fillStyle = getComputedStyle(this.canvas).color;
    this.ink.globalCompositeOperation = "source-in";
    this.ink.fillRect(0, 0, SIDE, SIDE);
    this.ink.globalCompositeOperation = "source-over";
  }

  read(): Plane {
    const { data } = this.ink.getImageData(0, 0, SIDE, SIDE);
    const plane = new Uint8ClampedArray(SIDE * SIDE);
    for (let at = 0; at < plane.length; at++) plane[at] = data[at * 4 + 3]!;
    return { width: SIDE, height: SIDE, data: plane };
  }

  private line(from: Point, bend: Point, to: Point): void {
    this.ink.beginPath();
    this.ink.moveTo(from.x, from.y);
    this.ink.quadraticCurveTo(bend.x, bend.y, to.x, to.y);
    this.ink.stroke();
  }
}

function part({ x, y }: Point): Point {
  const rounded = (value: number) => Math.round((value / SIDE) * 1000) / 1000;
  return { x: rounded(x), y: rounded(y) };
}
