// The panel in which one tries a model, of the kind that suits what goes in and comes out.
import type { Attempt } from "./attempt";
import { ColumnsTry } from "./ColumnsTry";
import { DrawTry } from "./DrawTry";
import { PictureTry } from "./PictureTry";
import { RawTry } from "./RawTry";
import { SoundTry } from "./SoundTry";
import { TextTry } from "./TextTry";
import { WindowTry } from "./WindowTry";

export function TryIt(props: Attempt) {
  const { preprocess, postprocess } = props.card;
  const grey = preprocess?.type === "image" && preprocess.channels === 1;
  if (grey && postprocess?.type === "classification") {
    return <DrawTry {...props} image={preprocess} labels={postprocess.labels} />;
  }
  if (preprocess?.type === "columns" && postprocess) {
    return <ColumnsTry {...props} table={preprocess} />;
  }
  if (preprocess?.type === "window" && postprocess) {
    return <WindowTry {...props} how={preprocess} />;
  }
  if (preprocess?.type === "text" && postprocess) {
    return <TextTry {...props} how={preprocess} />;
  }
  if (preprocess?.type === "audio" && postprocess) {
    return <SoundTry {...props} how={preprocess} />;
  }
  if (preprocess?.type === "image" && postprocess) {
    return <PictureTry {...props} image={preprocess} />;
  }
  return <RawTry {...props} />;
}
