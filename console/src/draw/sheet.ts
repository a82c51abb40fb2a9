// The paper under the pen: smooth strokes on a transparent canvas, so that ink is simply what is
// opaque, whatever colour the theme gives it.
import { ink } from "../../../clients/js/src/centre";
import type { Plane } from "../../../clients/js/src/picture";

export const SIDE = 560;
const PEN = SIDE * 0.08;

export interface Point {
  x: number;
  y: number;
}

export class Sheet {
  private readonly canvas: HTMLCanvasElement;
  private readonly ink: CanvasRenderingContext2D;
  private pen: Point | null = null;
  private middle: Point | null = null;

  constructor(canvas: HTMLCanvasElement) {
    this.canvas = canvas;
    this.ink = canvas.getContext("2d", { willReadFrequently: true })!;
    this.ink.lineCap = "round";
    this.ink.lineJoin = "round";
    this.ink.lineWidth = PEN;
    this.recolour();
  }

  get drawing(): boolean {
    return this.pen !== null;
  }

  down(at: Point): void {
    this.ink.beginPath();
    this.ink.arc(at.x, at.y, PEN / 2, 0, 2 * Math.PI);
    this.ink.fill();
    this.pen = at;
    this.middle = at;
  }

  /** Draws to the middle of the way, bending at the point before: corners become curves. */
  move(to: Point): void {
    if (!this.pen || !this.middle) return;
    const middle = { x: (this.pen.x + to.x) / 2, y: (this.pen.y + to.y) / 2 };
    this.line(this.middle, this.pen, middle);
    this.pen = to;
    this.middle = middle;
  }

  up(): void {
    if (this.pen && this.middle) this.line(this.middle, this.pen, this.pen);
    this.pen = this.middle = null;
  }

  clear(): void {
    this.pen = this.middle = null;
    this.ink.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  /** Takes the canvas's CSS colour, also for what is already drawn. */
  recolour(): void {
    const colour = getComputedStyle(this.canvas).color;
    this.ink.strokeStyle = this.ink.fillStyle = colour;
    this.ink.globalCompositeOperation = "source-in";
    this.ink.fillRect(0, 0, this.canvas.width, this.canvas.height);
    this.ink.globalCompositeOperation = "source-over";
  }

  read(): Plane {
    const { width, height } = this.canvas;
    const { data } = this.ink.getImageData(0, 0, width, height);
    return { width, height, data: ink({ width, height, data, channels: 4 }) };
  }

  private line(from: Point, bend: Point, to: Point): void {
    this.ink.beginPath();
    this.ink.moveTo(from.x, from.y);
    this.ink.quadraticCurveTo(bend.x, bend.y, to.x, to.y);
    this.ink.stroke();
  }
}
