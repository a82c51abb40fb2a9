// What `GET /api/models/{m}/bundle` says: all that is needed to run a model elsewhere.

export interface Spec {
  name: string;
  dtype: string;
  datatype: string;
  shape: (number | null)[];
  missing: boolean;
}

export interface Column {
  name: string;
  categories?: string[] | null;
  date?: "" | "ymd" | "dmy" | "mdy";
  words?: number;
}

export type ImageInput = {
  type: "image";
  input: string;
  height: number;
  width: number;
  channels: 1 | 3;
  layout: "hw" | "hwc" | "chw";
  scale: number;
  offset: number;
  centre?: boolean;
};
export type ColumnsInput = { type: "columns"; input: string; columns: Column[]; ignored: string[] };
export type WindowInput = { type: "window"; input: string; columns: Column[]; steps: number; ignored: string[] };
export type TextInput = { type: "text"; input: string };
export type AudioInput = { type: "audio"; input: string; rate: number; samples: number };
export type Preprocess = ImageInput | ColumnsInput | WindowInput | TextInput | AudioInput;

export interface Conformal {
  level: number;
  threshold: number;
  rows: number;
}

export interface Classification {
  type: "classification";
  output: string;
  labels: string[];
  activation: "none" | "softmax" | "sigmoid";
  several: boolean;
  conformal?: Conformal;
}

export interface Regression {
  type: "regression";
  output: string;
  target: string;
  targets: string[];
  conformal?: Conformal;
}

/** A file of the bundle; its URL is relative to the descriptor's own. */
export interface BundleFile {
  url: string;
  sha256: string;
  size: number;
}

export interface Bundle {
  format: 1;
  name: string;
  version: string;
  digest: string;
  model: BundleFile & { opset: Record<string, number> };
  golden: BundleFile | null;
  signature: { inputs: Spec[]; outputs: Spec[] };
  preprocess: Preprocess | null;
  postprocess: Classification | Regression | null;
}
