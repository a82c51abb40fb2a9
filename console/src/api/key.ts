// The key this page calls with, where the server asks for one. It is kept as long as the tab is
// open, in the browser's session storage, and is sent to this page's own server only.
import { remember, remembered } from "../session";

const NAME = "numen-key";

export function rememberKey(key: string): void {
  remember(NAME, key);
  current = key;
}

/** The header that says who asks. */
export function credential(): Record<string, string> {
  return current ? { Authorization: `Bearer ${current}` } : {};
}

let current = remembered(NAME);
