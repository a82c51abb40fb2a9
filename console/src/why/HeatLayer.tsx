// What spoke for the answer and against it, as a layer over a picture: the more, the less one sees
// through it.
import { useEffect, useRef } from "preact/hooks";
import type { ImageInput } from "../api/card";
import type { Box } from "../../../clients/js/src/centre";
import { strings } from "../strings";
import type { Attribution } from "./attribution";
import { Legend } from "./Legend";
import { perPixel } from "./parts";
import { colour, type Ground, shares } from "./tint";

interface HeatLayerProps {
  attribution: Attribution;
  image: ImageInput;
  /** Sizes of the layer, and where on it the input lies. */
  width: number;
  height: number;
  at: Box;
  ground: Ground;
}

export function HeatLayer({ attribution, image, width, height, at, ground }: HeatLayerProps) {
  const canvas = useRef<HTMLCanvasElement>(null);

  useEffect(() => {
    const small = new OffscreenCanvas(image.width, image.height);
    const pixels = new ImageData(image.width, image.height);
    shares(perPixel(attribution.values, image)).forEach((share, place) => {
      pixels.data.set([...colour(share, ground), 255 * Math.abs(share)], place * 4);
    });
    small.getContext("2d")!.putImageData(pixels, 0, 0);
    const sheet = canvas.current!.getContext("2d")!;
    sheet.imageSmoothingEnabled = false; // each of the model's pixels is to be seen
    sheet.clearRect(0, 0, width, height);
    sheet.drawImage(small, at.left, at.top, at.width, at.height);
  }, [attribution, width, height, ground]);

  return (
    <>
      <canvas
        ref={canvas}
        class="heat"
        width={width}
        height={height}
        role="img"
        aria-label={strings.why.heat}
        data-testid="heat"
      />
      <Legend attribution={attribution} />
    </>
  );
}
