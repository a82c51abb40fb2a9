// A model's card as GET /api/models gives it: what it is, what goes in and what comes out.

export interface TensorSpec {
  name: string;
  dtype: string;
  datatype: string;
  shape: (number | null)[];
}

/** How a picture becomes the input: value = pixel * scale + offset. */
export interface ImageInput {
  type: "image";
  input: string;
  height: number;
  width: number;
  channels: 1 | 3;
  layout: "hw" | "hwc" | "chw";
  scale: number;
  offset: number;
}

/** A column is a number, or one of its categories, coded by its place among them. */
export interface Column {
  name: string;
  categories: string[] | null;
}

export interface ColumnsInput {
  type: "columns";
  input: string;
  columns: Column[];
}

/** A text as it is; what cuts it into words is in the model. */
export interface TextInput {
  type: "text";
  input: string;
}

export interface Classification {
  type: "classification";
  output: string;
  labels: string[];
  activation: "none" | "softmax" | "sigmoid";
}

export interface Regression {
  type: "regression";
  output: string;
  target: string;
}

export interface Card {
  name: string;
  version: string;
  aliases: Record<string, string>;
  versions: string[];
  ready: boolean;
  digest: string;
  created: string;
  size: number;
  signature: { inputs: TensorSpec[]; outputs: TensorSpec[] };
  preprocess: ImageInput | ColumnsInput | TextInput | null;
  postprocess: Classification | Regression | null;
  metrics: Record<string, number>;
  framework: string;
  family: string;
  dataset: string;
  parity: number | null;
}
