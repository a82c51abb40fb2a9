// What is remembered as long as the tab is open. Where storage is forbidden, until the page is left.

export function remember(name: string, value: string): void {
  try {
    if (value) sessionStorage.setItem(name, value);
    else sessionStorage.removeItem(name);
  } catch {
    // Then it is asked for again after a reload.
  }
}

export function remembered(name: string): string {
  try {
    return sessionStorage.getItem(name) ?? "";
  } catch {
    return "";
  }
}
