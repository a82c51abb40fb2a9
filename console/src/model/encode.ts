// From what a person drew or typed to the tensor a model takes, as its card says.
import type { Card, ImageInput, TextInput } from "../api/card";
import type { Tensor } from "../api/tensor";

function datatype(card: Card, input: string): string {
  return card.signature.inputs.find(({ name }) => name === input)?.datatype ?? "FP32";
}

/** One grey picture, pixels 0–255 row by row. */
export function imageTensor(card: Card, image: ImageInput, pixels: ArrayLike<number>): Tensor {
  const { input, height, width, layout, scale, offset } = image;
  const axes = { hw: [height, width], hwc: [height, width, 1], chw: [1, height, width] }[layout];
  return {
    name: input,
    datatype: datatype(card, input),
    shape: [1, ...axes],
    values: Float64Array.from(pixels, (pixel) => pixel * scale + offset),
  };
}

/** One text. */
export function textTensor(how: TextInput, text: string): Tensor {
  return { name: how.input, datatype: "BYTES", shape: [1, 1], values: [text] };
}
