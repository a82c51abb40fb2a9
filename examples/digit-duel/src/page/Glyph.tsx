// Numbers and signs in the pen's hand.
import { GLYPHS } from "../draw/glyphs";

/** A whole number or a sign; decoration, so what it says is said elsewhere. */
export function Glyphs({ text, class: name = "" }: { text: string; class?: string }) {
  return (
    <span class={`glyphs ${name}`} aria-hidden="true">
      {[...text].map((sign, place) => (
        <svg key={place} viewBox="-4 0 68 100">
          <path d={GLYPHS[sign]} pathLength={1} />
        </svg>
      ))}
    </span>
  );
}
