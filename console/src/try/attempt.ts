// What every panel for trying a model is given.
import type { Card } from "../api/card";
import type { Theme } from "../page/theme";

export interface Attempt {
  card: Card;
  theme: Theme;
  /** False while the server is away. */
  alive: boolean;
  onAway: () => void;
}
