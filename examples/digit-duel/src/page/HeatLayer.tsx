// What spoke for the answer and against it, over the ink: the more, the less one sees through it.
import { useEffect, useRef } from "preact/hooks";
import type { Heat } from "../ask/reader";
import { SIDE } from "../draw/sheet";
import { colour, type Ground, shares } from "../draw/tint";

interface HeatLayerProps {
  heat: Heat | null;
  ground: Ground;
  onShown: (heat: Heat) => void;
}

export function HeatLayer({ heat, ground, onShown }: HeatLayerProps) {
  const canvas = useRef<HTMLCanvasElement>(null);

  useEffect(() => {
    const sheet = canvas.current!.getContext("2d")!;
    sheet.clearRect(0, 0, SIDE, SIDE);
    if (!heat) return;
    const { width, height, shows } = heat.drawing.seen;
    const small = new OffscreenCanvas(width, height);
    const pixels = new ImageData(width, height);
    shares(heat.values).forEach((share, place) => {
      pixels.data.set([...colour(share, ground), 235 * Math.abs(share)], place * 4);
    });
    small.getContext("2d")!.putImageData(pixels, 0, 0);
    sheet.imageSmoothingEnabled = false; // each of the model's pixels is to be seen
    sheet.drawImage(small, shows.left, shows.top, shows.width, shows.height);
    onShown(heat);
  }, [heat, ground]);

  return <canvas ref={canvas} class="heat" width={SIDE} height={SIDE} aria-hidden="true" data-testid="heat" data-shown={heat ? "yes" : undefined} />;
}
