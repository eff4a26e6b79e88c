/** Web storage that may be absent, full or forbidden: then things live as long as the page. */

type Store = "localStorage" | "sessionStorage";

export function read(store: Store, name: string): string | null {
  try {
    return window[store].getItem(name);
  } catch {
    return null;
  }
}

export function write(store: Store, name: string, value: string): void {
  try {
    window[store].setItem(name, value);
  } catch {
    // full or forbidden: the copy in memory remains
  }
}

export function remove(store: Store, name: string): void {
  try {
    window[store].removeItem(name);
  } catch {
    // forbidden: nothing was stored
  }
}

/** All names in localStorage that begin with `prefix`. */
export function names(prefix: string): string[] {
  try {
    return Object.keys(localStorage).filter((name) => name.startsWith(prefix));
  } catch {
    return [];
  }
}
