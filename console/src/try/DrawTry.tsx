// Draw, and the model answers while the pen still moves: each frame's ink is centred, shown small
// as the model sees it, and asked about.
import { useState } from "preact/hooks";
import type { ImageInput } from "../api/card";
import { type Box, centred } from "../../../clients/js/src/centre";
import type { Plane } from "../../../clients/js/src/picture";
import { SIDE } from "../draw/sheet";
import { useModel } from "../live/useModel";
import { imageTensor } from "../model/encode";
import { withTensor } from "../model/question";
import { strings } from "../strings";
import { HeatLayer } from "../why/HeatLayer";
import { WhyPanel } from "../why/WhyPanel";
import { Answer } from "./Answer";
import type { Attempt } from "./attempt";
import { Pad } from "./Pad";
import { Preview } from "./Preview";
import { Refusal } from "./Refusal";
import { TryHead } from "./TryHead";

const t = strings.attempt;

const blank = ({ width, height }: ImageInput): Plane => ({
  width,
  height,
  data: new Uint8Array(width * height),
});

interface DrawTryProps extends Attempt {
  image: ImageInput;
  labels: string[];
}

export function DrawTry({ card, theme, alive, onAway, image, labels }: DrawTryProps) {
  const { reading, trip, refusal, why, ask, forget } = useModel<Box>(card, alive, onAway);
  const [picture, setPicture] = useState<Plane | null>(null);
  const digits = labels.every((label) => /^\d$/.test(label));

  const onInk = (drawing: Plane | null) => {
    const small = drawing && centred(drawing, image.width, image.height);
    setPicture(small);
    if (small) ask(withTensor(imageTensor(card, image, small.data), small.shows));
    else forget();
  };

  const heat = why.told && (
    <HeatLayer
      attribution={why.told.attribution}
      image={image}
      width={SIDE}
      height={SIDE}
      at={why.told.given}
      ground={theme}
    />
  );

  return (
    <section class="try" aria-label={t.draw}>
      <TryHead title={t.draw} why={why} trip={trip} />
      <div class="side-by-side">
        <Pad theme={theme} hint={digits ? t.hintDigits : t.hint} onInk={onInk} over={heat}>
          <Preview picture={picture ?? blank(image)} />
        </Pad>
        <Answer card={card} reading={reading} why={why} />
      </div>
      <WhyPanel card={card} why={why} />
      <Refusal error={refusal} />
    </section>
  );
}
