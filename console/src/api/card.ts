// A model's card as GET /api/models gives it: what it is, what goes in and what comes out.

export interface TensorSpec {
  name: string;
  dtype: string;
  datatype: string;
  shape: (number | null)[];
  /** Whether a value may be missing. */
  missing?: boolean;
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

/** A column is a number, one of its categories, a date, or words. */
export interface Column {
  name: string;
  categories?: string[] | null;
  date?: string;
  words?: number;
}

export interface ColumnsInput {
  type: "columns";
  input: string;
  columns: Column[];
}

/** Some rows of named fields, one behind the other. */
export interface WindowInput {
  type: "window";
  input: string;
  columns: Column[];
  steps: number;
}

/** A text as it is; what cuts it into words is in the model. */
export interface TextInput {
  type: "text";
  input: string;
}

/** A sound's first samples, of one channel at a rate, filled up with silence. */
export interface AudioInput {
  type: "audio";
  input: string;
  rate: number;
  samples: number;
}

/** What holds the truth of `level` of the rows: labels at least so likely, values so near. */
export interface Conformal {
  level: number;
  threshold: number;
}

export interface Classification {
  type: "classification";
  output: string;
  labels: string[];
  activation: "none" | "softmax" | "sigmoid";
  conformal?: Conformal;
}

export interface Regression {
  type: "regression";
  output: string;
  target: string;
  conformal?: Conformal;
}

/** By how much the loss grows when a column's values are dealt out anew, and its 95 % interval. */
export interface Importance {
  rows: number;
  columns: { column: string; loss: { mean: number; low: number; high: number } }[];
}

export interface Explains {
  /** The ways in which answers are explained, the usual one first. */
  methods: string[];
  /** How far the usual one was found to be true, such as `deletion` and `deletion_random`. */
  faithfulness: Record<string, number>;
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
  preprocess: ImageInput | ColumnsInput | WindowInput | TextInput | AudioInput | null;
  postprocess: Classification | Regression | null;
  explains: Explains | null;
  importance: Importance | null;
  metrics: Record<string, number>;
  framework: string;
  family: string;
  dataset: string;
  parity: number | null;
}
