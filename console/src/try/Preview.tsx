// The picture as it is sent, pixel for pixel: white ink on black, whatever the theme.
import { useEffect, useRef } from "preact/hooks";
import type { Plane } from "../../../clients/js/src/picture";
import { strings } from "../strings";

export function Preview({ picture }: { picture: Plane }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { width, height, data } = picture;

  useEffect(() => {
    const image = new ImageData(width, height);
    data.forEach((ink, at) => image.data.set([ink, ink, ink, 255], at * 4));
    canvas.current!.getContext("2d")!.putImageData(image, 0, 0);
  }, [picture]);

  return (
    <div class="preview">
      <canvas ref={canvas} width={width} height={height} data-testid="preview" aria-hidden="true" />
      <p>
        {strings.attempt.preview(width, height)}
        <br />
        {strings.attempt.previewMeaning}
      </p>
    </div>
  );
}
