// What spoke for the answer and against it, as a layer over a picture: the more, the less one sees
// through it.
import { useEffect, useRef } from "preact/hooks";
import type { Box } from "../draw/centre";
import { strings } from "../strings";
import { colour, type Ground, shares } from "./tint";

interface HeatLayerProps {
  /** A number for each pixel of the model's input, row by row. */
  values: number[];
  /** Sizes of the model's input. */
  rows: number;
  columns: number;
  /** Sizes of the layer, and where on it the input lies. */
  width: number;
  height: number;
  at: Box;
  ground: Ground;
}

export function HeatLayer({ values, rows, columns, width, height, at, ground }: HeatLayerProps) {
  const canvas = useRef<HTMLCanvasElement>(null);

  useEffect(() => {
    const small = new OffscreenCanvas(columns, rows);
    const image = new ImageData(columns, rows);
    shares(values).forEach((share, place) => {
      image.data.set([...colour(share, ground), 255 * Math.abs(share)], place * 4);
    });
    small.getContext("2d")!.putImageData(image, 0, 0);
    const sheet = canvas.current!.getContext("2d")!;
    sheet.imageSmoothingEnabled = false; // each of the model's pixels is to be seen
    sheet.clearRect(0, 0, width, height);
    sheet.drawImage(small, at.left, at.top, at.width, at.height);
  }, [values, width, height, ground]);

  return (
    <canvas
      ref={canvas}
      class="heat"
      width={width}
      height={height}
      role="img"
      aria-label={strings.why.heat}
      data-testid="heat"
    />
  );
}
