// Give a picture, and see what the model makes of it: dropped, chosen or pasted, sent as it is.
import { useEffect, useState } from "preact/hooks";
import type { ImageInput } from "../api/card";
import type { Box } from "../../../clients/js/src/centre";
import { useAddress } from "../live/useAddress";
import { useModel } from "../live/useModel";
import { withFile } from "../model/question";
import { strings } from "../strings";
import { HeatLayer } from "../why/HeatLayer";
import { WhyPanel } from "../why/WhyPanel";
import { Answer } from "./Answer";
import type { Attempt } from "./attempt";
import { FileButton, useDrop } from "./files";
import { Refusal } from "./Refusal";
import { TryHead } from "./TryHead";
import { useClearKeys } from "./useClearKeys";

const t = strings.picture;
const LAYER = 640; // pixels of a heat map's longer side

export function PictureTry({ card, theme, alive, onAway, image }: Attempt & { image: ImageInput }) {
  const { reading, trip, refusal, why, ask, forget } = useModel<File>(card, alive, onAway);
  const [file, setFile] = useState<File | null>(null);
  const [shape, setShape] = useState<Box | null>(null);
  const address = useAddress(file);

  const open = (given: File | undefined) => {
    if (!given) return;
    setFile(given);
    ask(withFile(given, given.type || "application/octet-stream", given));
  };
  const clear = () => {
    setFile(null);
    setShape(null);
    forget();
  };
  const { over, ...drop } = useDrop(open);
  useClearKeys(clear);
  useEffect(() => {
    const pasted = (event: ClipboardEvent) => open(event.clipboardData?.files[0]);
    window.addEventListener("paste", pasted);
    return () => window.removeEventListener("paste", pasted);
  }, []);

  const told = why.told?.given === file ? why.told : null;
  const shown = ({ naturalWidth, naturalHeight }: HTMLImageElement) => {
    const scale = LAYER / Math.max(naturalWidth, naturalHeight, 1);
    setShape({ left: 0, top: 0, width: naturalWidth * scale, height: naturalHeight * scale });
  };

  return (
    <section class={over ? "try over" : "try"} aria-label={t.title} {...drop}>
      <TryHead title={t.title} why={why} trip={trip} />
      <div class="side-by-side">
        <div class="giving">
          <div class={told ? "stage layered" : "stage"}>
            {address && file ? (
              <img
                src={address}
                alt={file.name}
                data-testid="picture"
                onLoad={(event) => shown(event.currentTarget)}
              />
            ) : (
              <p class="stage-hint">{t.hint}</p>
            )}
            {told && shape && (
              <HeatLayer
                attribution={told.attribution}
                image={image}
                width={shape.width}
                height={shape.height}
                at={shape}
                ground={theme}
              />
            )}
          </div>
          <div class="stage-foot">
            <FileButton label={strings.attempt.file} accept="image/*" primary open={open} />
            <button type="button" class="button" disabled={!file} data-testid="clear" onClick={clear}>
              {strings.attempt.clear} <kbd>Esc</kbd>
            </button>
          </div>
          <Refusal error={refusal} />
        </div>
        <Answer card={card} reading={reading} why={why} />
      </div>
      <WhyPanel card={card} why={why} />
    </section>
  );
}
