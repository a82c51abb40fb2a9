// The key this page calls with, where the server asks for one. It is kept as long as the tab is
// open, in the browser's session storage, and is sent to this page's own server only.
const NAME = "numen-key";

export function rememberKey(key: string): void {
  try {
    if (key) sessionStorage.setItem(NAME, key);
    else sessionStorage.removeItem(NAME);
  } catch {
    // Storage is forbidden: the key is then asked for again after a reload.
  }
  current = key;
}

/** The header that says who asks. */
export function credential(): Record<string, string> {
  return current ? { Authorization: `Bearer ${current}` } : {};
}

function remembered(): string {
  try {
    return sessionStorage.getItem(NAME) ?? "";
  } catch {
    return "";
  }
}

let current = remembered();
