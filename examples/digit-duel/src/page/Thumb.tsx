// A digit as the model saw it, small, in the ink's colour.
import { useEffect, useRef } from "preact/hooks";

interface ThumbProps {
  pixels: number[][];
}

export function Thumb({ pixels }: ThumbProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const height = pixels.length;
  const width = pixels[0]?.length ?? 0;

  useEffect(() => {
    const picture = new ImageData(width, height);
    // Black, and how opaque: the page's style turns it into the theme's ink.
    pixels.flat().forEach((value, place) => (picture.data[place * 4 + 3] = value));
    canvas.current!.getContext("2d")!.putImageData(picture, 0, 0);
  }, [pixels]);

  return <canvas ref={canvas} class="thumb" width={width} height={height} aria-hidden="true" />;
}
