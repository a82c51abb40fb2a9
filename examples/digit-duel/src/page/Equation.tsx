// What is asked, in the pen's hand, with a place for what is missing.
import { type Task, written } from "../game/task";
import { Glyphs } from "./Glyph";
import { useWords } from "./language";

export function Equation({ task }: { task: Task }) {
  const t = useWords();
  const { numbers, sign, hole } = task;
  const part = (place: 0 | 1 | 2) =>
    place === hole ? <Glyphs class="hole" text="?" /> : <Glyphs text={String(numbers[place])} />;
  const said = written(task);
  return (
    <div class="equation" key={said}>
      <h2 class="unseen" aria-live="polite" data-testid="task">
        {t.task(said)}
      </h2>
      {part(0)}
      <Glyphs class="sign" text={sign} />
      {part(1)}
      <Glyphs class="sign" text="=" />
      {part(2)}
    </div>
  );
}
