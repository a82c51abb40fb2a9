// The panel in which one tries a model, of the kind that suits what goes in and comes out.
import type { Card } from "../api/card";
import type { Theme } from "../page/theme";
import { ColumnsTry } from "./ColumnsTry";
import { DrawTry } from "./DrawTry";
import { RawTry } from "./RawTry";
import { TextTry } from "./TextTry";

export interface TryProps {
  card: Card;
  theme: Theme;
  /** False while the server is away. */
  alive: boolean;
  onAway: () => void;
}

export function TryIt(props: TryProps) {
  const { preprocess, postprocess } = props.card;
  const grey = preprocess?.type === "image" && preprocess.channels === 1;
  if (grey && postprocess?.type === "classification") {
    return <DrawTry {...props} image={preprocess} labels={postprocess.labels} />;
  }
  if (preprocess?.type === "columns" && postprocess) {
    return <ColumnsTry {...props} table={preprocess} />;
  }
  if (preprocess?.type === "text" && postprocess) {
    return <TextTry {...props} how={preprocess} />;
  }
  return <RawTry {...props} />;
}
