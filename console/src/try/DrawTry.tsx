// Draw, and the model answers while the pen still moves: each frame's ink is centred, shown small
// as the model sees it, and asked about.
import { useState } from "preact/hooks";
import type { ImageInput } from "../api/card";
import { blank, centre, type Plane } from "../draw/centre";
import { useModel } from "../live/useModel";
import { imageTensor } from "../model/encode";
import { withTensor } from "../model/question";
import { strings } from "../strings";
import { Answer } from "./Answer";
import { Pad } from "./Pad";
import { Preview } from "./Preview";
import { Refusal } from "./Refusal";
import { RoundTripTime } from "./RoundTripTime";
import type { Attempt } from "./attempt";

const t = strings.attempt;

interface DrawTryProps extends Attempt {
  image: ImageInput;
  labels: string[];
}

export function DrawTry({ card, theme, alive, onAway, image, labels }: DrawTryProps) {
  const { reading, trip, refusal, ask, forget } = useModel(card, alive, onAway);
  const [picture, setPicture] = useState<Plane | null>(null);
  const digits = labels.every((label) => /^\d$/.test(label));

  const onInk = (drawing: Plane | null) => {
    const small = drawing && centre(drawing, image.width, image.height);
    setPicture(small);
    if (small) ask(withTensor(imageTensor(card, image, small.data)));
    else forget();
  };

  return (
    <section class="try" aria-label={t.draw}>
      <header class="try-head">
        <h2>{t.draw}</h2>
        <RoundTripTime trip={trip} />
      </header>
      <div class="side-by-side">
        <Pad theme={theme} hint={digits ? t.hintDigits : t.hint} onInk={onInk}>
          <Preview picture={picture ?? blank(image.width, image.height)} />
        </Pad>
        <Answer labels={labels} reading={reading} />
      </div>
      <Refusal error={refusal} />
    </section>
  );
}
